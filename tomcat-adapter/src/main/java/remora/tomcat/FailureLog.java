package remora.tomcat;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Says in the log which requests were refused. In an outage every request is: then one line a
 * second says how many more there were.
 */
final class FailureLog {

  private static final Log log = LogFactory.getLog(FailureLog.class);

  /** Time between lines, nanoseconds. */
  private static final long QUIET_NANOS = 1_000_000_000L;

  private static long lastNanos = System.nanoTime() - QUIET_NANOS;
  private static long unsaid;

  private FailureLog() {}

  /**
   * Reports a refused request.
   *
   * @param method its method
   * @param path its path, without parameters: they may hold the session id
   * @param reason a sentence
   */
  static synchronized void write(String method, String path, String reason) {
    long now = System.nanoTime();
    if (now - lastNanos < QUIET_NANOS) {
      unsaid++;
      return;
    }
    String more = unsaid == 0 ? "" : " (and " + unsaid + " more since the line before)";
    lastNanos = now;
    unsaid = 0;
    log.warn(
        method
            + " "
            + path
            + " is answered 503, the session cookie stays as it is: "
            + reason
            + more);
  }
}
