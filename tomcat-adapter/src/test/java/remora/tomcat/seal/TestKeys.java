package remora.tomcat.seal;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;

/** Key files of tests, whose keys are one byte again and again. */
public final class TestKeys {

  private TestKeys() {}

  /** A line for a key. */
  public static String line(String name, int of) {
    byte[] key = new byte[Keys.KEY_BYTES];
    Arrays.fill(key, (byte) of);
    return name + " " + Base64.getEncoder().encodeToString(key);
  }

  /** Writes a file that nobody else may read. */
  public static Path write(Path directory, String... lines) {
    Path file = directory.resolve("keys");
    try {
      Files.write(file, Arrays.asList(lines), StandardCharsets.UTF_8);
      file.toFile().setReadable(false, false);
      file.toFile().setReadable(true, true);
      return file;
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  /** Writes a file and reads it. */
  public static KeyFile file(Path directory, String... lines) {
    return new KeyFile(write(directory, lines));
  }
}
