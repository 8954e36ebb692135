package remora.tomcat.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What tells one state of some files from another without reading them: when they were written,
 * their sizes, and which files they are. A file that is not there has a state, too. Immutable.
 */
public final class FileState {

  private final List<Object> facts;

  private FileState(List<Object> facts) {
    this.facts = facts;
  }

  /**
   * Looks at files. Taken <em>before</em> they are read, so that a change meanwhile is seen later.
   *
   * @param files which; links are followed
   * @return how they are now
   */
  public static FileState of(Path... files) {
    List<Object> facts = new ArrayList<>();
    for (Path file : files) {
      try {
        BasicFileAttributes is = Files.readAttributes(file, BasicFileAttributes.class);
        facts.addAll(Arrays.asList(is.lastModifiedTime(), is.size(), is.fileKey()));
      } catch (IOException notThere) {
        facts.add(notThere.toString());
      }
    }
    return new FileState(facts);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof FileState && facts.equals(((FileState) other).facts);
  }

  @Override
  public int hashCode() {
    return facts.hashCode();
  }
}
