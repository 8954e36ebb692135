package remora.tomcat.keeper;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Ids that the store has just said to be nobody's, so that Tomcat's repeated look-ups in one
 * request, and a client that repeats a dead cookie, cost one round trip. Thread-safe.
 */
final class AbsentIds {

  /** How long an answer is believed, nanoseconds. An id exists before a client can know it. */
  private static final long BELIEVED_NANOS = 1_000_000_000L;

  /** How many answers are remembered: more would be an attack, which only costs it round trips. */
  private static final int COUNT_MAX = 4096;

  private final Map<String, Long> absentAt =
      new LinkedHashMap<String, Long>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
          return size() > COUNT_MAX;
        }
      };

  synchronized void add(String bareId) {
    absentAt.remove(bareId);
    absentAt.put(bareId, System.nanoTime());
  }

  synchronized boolean contains(String bareId) {
    Long at = absentAt.get(bareId);
    if (at == null) {
      return false;
    }
    if (System.nanoTime() - at > BELIEVED_NANOS) {
      absentAt.remove(bareId);
      return false;
    }
    return true;
  }

  synchronized void remove(String bareId) {
    absentAt.remove(bareId);
  }
}
