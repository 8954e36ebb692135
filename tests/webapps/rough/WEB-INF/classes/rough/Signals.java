package rough;

import java.io.File;
import java.io.FileWriter;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/**
 * Files by which this application and a claim talk: NAME.log gets a line per execution, NAME.go
 * lets what waits go on.
 */
public final class Signals {

  /** Longer than any claim takes. */
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(60);

  /** Between two looks for the file: short against whatever a claim measures. */
  private static final long POLL_MILLIS = 5;

  private Signals() {}

  /**
   * Says that something runs.
   *
   * @param name what
   * @throws IOException if the file cannot be written
   */
  public static void record(String name) throws IOException {
    try (FileWriter log = new FileWriter(file(name + ".log"), true)) {
      log.write(System.getProperty("shop.node") + "\n");
    }
  }

  /**
   * Waits until the claim lets it go on.
   *
   * @param name what waits
   * @throws InterruptedException if Tomcat ends the thread
   */
  public static void awaitGo(String name) throws InterruptedException {
    File go = file(name + ".go");
    long start = System.nanoTime();
    while (!go.exists() && System.nanoTime() - start < PATIENCE_NANOS) {
      Thread.sleep(POLL_MILLIS);
    }
  }

  private static File file(String name) {
    if (!name.matches("[a-z0-9-]{1,64}\\.(go|log)")) {
      throw new IllegalArgumentException("a name is 1 to 64 of a-z, 0-9 and -");
    }
    return new File(System.getProperty("probe.dir"), name);
  }
}
