package remora.tomcat.seal;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Collections;
import java.util.Set;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.FileState;

/**
 * The file with the keys, as it is now: read at the start and whenever it has changed since it was
 * looked at. A file that cannot be used then changes nothing and is said once. Thread-safe.
 */
public final class KeyFile {

  /** A file that is larger was named by mistake; ten keys with comments take a thousandth. */
  private static final long FILE_BYTES_MAX = 1024 * 1024;

  private static final Log LOG = LogFactory.getLog(KeyFile.class);

  private final Path file;
  private FileState seen;
  private volatile Keys keys;

  /**
   * Reads the file.
   *
   * @param file its path
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  public KeyFile(Path file) {
    this.file = file;
    seen = FileState.of(file);
    keys = read();
    Sealer.check();
    warnIfReadByOthers();
  }

  /**
   * Under what ids are hashed. Read at the start and kept: another key makes other sessions of all
   * ids.
   *
   * @return the bytes behind {@code ids}, or null where the file has none
   */
  public byte[] ids() {
    byte[] ids = keys.ids();
    return ids == null ? null : ids.clone();
  }

  /** What the file said when it was looked at last. */
  Keys keys() {
    return keys;
  }

  /** Looks whether the file has changed. May take as long as a disk does. */
  public synchronized void look() {
    FileState now = FileState.of(file);
    if (now.equals(seen)) {
      return;
    }
    seen = now;
    try {
      Keys next = read();
      if (!next.hasIdsOf(keys)) {
        throw new IllegalArgumentException(
            name()
                + "has another line \"ids\", which makes other sessions of all ids: it counts"
                + " from the next start of all Tomcats on, and nothing of the file before");
      }
      keys = next;
      LOG.info(name() + "has changed; new values are encrypted under \"" + next.first() + "\"");
      warnIfReadByOthers();
    } catch (IllegalArgumentException bad) {
      LOG.error("The keys that were read before go on: " + bad.getMessage());
    }
  }

  private Keys read() {
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw new IllegalArgumentException("is longer than " + FILE_BYTES_MAX + " bytes");
      }
      return Keys.parse(Files.readAllLines(file, StandardCharsets.UTF_8));
    } catch (IOException unreadable) {
      throw new IllegalArgumentException(name() + "cannot be read: " + unreadable);
    } catch (IllegalArgumentException fault) {
      throw new IllegalArgumentException(name() + fault.getMessage());
    }
  }

  private void warnIfReadByOthers() {
    Set<PosixFilePermission> may;
    try {
      may = Files.getPosixFilePermissions(file);
    } catch (IOException | UnsupportedOperationException unknown) {
      may = Collections.emptySet();
    }
    if (may.contains(PosixFilePermission.OTHERS_READ)) {
      LOG.warn(name() + "can be read by every user of this machine: chmod o-r");
    }
  }

  private String name() {
    return "encryptionKeys=\"" + file + "\" ";
  }
}
