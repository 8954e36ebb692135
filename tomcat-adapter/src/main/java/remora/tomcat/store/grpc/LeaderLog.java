package remora.tomcat.store.grpc;

import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * What the log hears of the search for a leader: nothing of an ordinary election but who leads now,
 * one line of an outage and one when it is over. Used by the leader finder's thread.
 */
final class LeaderLog {

  /** How long a search may last before the log hears of it: longer than any election. */
  private static final long OUTAGE_NANOS = 2_000_000_000L;

  /** The same for the first search: store and Tomcat are often started together. */
  private static final long FIRST_SEARCH_NANOS = 10_000_000_000L;

  /** At most one line so often about leaders that change without an outage. */
  private static final long LINE_NANOS_MIN = 10_000_000_000L;

  private static final Log LOG = LogFactory.getLog(LeaderLog.class);

  private boolean complained;
  private String leader = "";
  private long saidNanos;

  /** What nodes said that no search cures, since one was last of use; each is logged once. */
  private final Set<String> refusals = new LinkedHashSet<>();

  /** A search has lasted so long; what came of each address is asked for when it is to be said. */
  void searching(long soughtNanos, Supplier<String> asked) {
    if (!complained && soughtNanos > (leader.isEmpty() ? FIRST_SEARCH_NANOS : OUTAGE_NANOS)) {
      complained = true;
      LOG.warn(
          "session store: no node leads since "
              + seconds(soughtNanos)
              + " s, and calls wait or fail; "
              + asked.get());
    }
  }

  /** A majority stands behind a leader, after a search of so long. */
  void led(String address, long nowNanos, long soughtNanos, String problem) {
    refusals.clear();
    if (complained) {
      LOG.info("session store: " + address + " leads; none did for " + seconds(soughtNanos) + " s");
    } else if (leader.isEmpty()) {
      LOG.info("session store: " + address + " leads");
    } else if (nowNanos - saidNanos > LINE_NANOS_MIN) {
      LOG.info(
          "session store: "
              + address
              + " leads, found within "
              + seconds(soughtNanos)
              + " s; the stream before ended: "
              + problem);
    } else {
      LOG.debug("session store: " + address + " leads; the stream before ended: " + problem);
      return;
    }
    complained = false;
    leader = address;
    saidNanos = nowNanos;
  }

  /** Other nodes go on saying that they do not lead; this is what a person must know. */
  void refusedForGood(String text) {
    if (refusals.size() < LeaderFinder.CANDIDATES_MAX && refusals.add(text)) {
      LOG.error("session store: " + text);
    }
  }

  /** The store is another one than before. */
  void anotherCluster(String text) {
    if (refusals.size() < LeaderFinder.CANDIDATES_MAX && refusals.add(text)) {
      LOG.warn("session store: " + text + ". This Tomcat goes on with the store that answers");
    }
  }

  private static String seconds(long nanos) {
    return String.format(Locale.ROOT, "%.1f", nanos / (double) TimeUnit.SECONDS.toNanos(1));
  }
}
