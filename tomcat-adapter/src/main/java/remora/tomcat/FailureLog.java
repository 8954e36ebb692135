package remora.tomcat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Says in the log which requests were refused. In an outage every request is, for the same reason:
 * then one line a second says how many more there were. Another reason is said at once.
 */
final class FailureLog {

  private static final Log log = LogFactory.getLog(FailureLog.class);

  /** Time between lines about one reason, nanoseconds. */
  private static final long QUIET_NANOS = 1_000_000_000L;

  /** Reasons that are told apart; the one that was said longest ago makes room. */
  static final int REASONS_MAX = 64;

  /** What would end a line, move the cursor or turn the reading direction: paths are decoded. */
  private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}]");

  private static final FailureLog SHARED = new FailureLog();

  /** When a reason was last said, and how often it was not said since. */
  private static final class Said {
    private final long atNanos;
    private long unsaid;

    private Said(long atNanos) {
      this.atNanos = atNanos;
    }
  }

  /** In the order in which they were said. */
  private final Map<String, Said> reasons = new LinkedHashMap<>();

  /**
   * Reports a refused request.
   *
   * @param method its method
   * @param path its path, without parameters: they may hold the session id
   * @param where its application, and the session if one failed it
   * @param fate what became of its answer
   * @param reason a sentence
   */
  static void write(String method, String path, String where, String fate, String reason) {
    String request = method + " " + path + " of " + where;
    String line = SHARED.line(System.nanoTime(), request + " is " + fate, reason);
    if (line != null) {
      log.warn(line);
    }
  }

  /**
   * What the log says about a refused request.
   *
   * @param nowNanos monotonic time
   * @param request which it was, and what became of it
   * @param reason a sentence
   * @return a line, or null while its reason has just been said
   */
  synchronized String line(long nowNanos, String request, String reason) {
    Said before = reasons.get(reason);
    if (before != null && nowNanos - before.atNanos < QUIET_NANOS) {
      before.unsaid++;
      return null;
    }
    reasons.remove(reason);
    if (reasons.size() == REASONS_MAX) {
      reasons.remove(reasons.keySet().iterator().next());
    }
    reasons.put(reason, new Said(nowNanos));
    String more =
        before == null || before.unsaid == 0
            ? ""
            : " (and " + before.unsaid + " more since the line before)";
    String line = request + ": " + reason + more;
    return UNPRINTABLE.matcher(line).replaceAll("?");
  }
}
