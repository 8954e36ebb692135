package remora.tomcat.store.grpc;

/**
 * How many groups may be in flight before calls collect. Pure; told by one thread, read by all.
 *
 * <p>Round trips that grow while calls wait say that groups queue somewhere, as on a busy machine:
 * more of them make more work there and are answered no sooner, so fewer and larger ones are sent.
 * Round trips near the shortest seen say that time passes on the way or in a sync: then more in
 * flight carry more. While nothing waits nothing can be learned, and nothing is changed.
 */
final class GroupWindow {

  /** Fewest groups in flight. */
  static final int MIN = 1;

  /** Most groups in flight; more make groups of one. */
  static final int MAX = 8;

  /** What a new stream begins with: 1 to 4 were best against a real store on a busy machine. */
  static final int START = 4;

  /** The shortest round trip is forgotten after one to two of these: the store may have moved. */
  private static final long MEMORY_NANOS = 5_000_000_000L;

  private volatile int limit = START;

  private long bestNanos = Long.MAX_VALUE;
  private long bestBeforeNanos = Long.MAX_VALUE;
  private long rememberedNanos;
  private boolean remembers;

  /** Groups answered since the limit was changed or kept last: one decision in a round trip. */
  private int answered;

  private long totalNanos;

  int limit() {
    return limit;
  }

  /** A group was answered wholly after so long; whether calls wait for room now. */
  void answered(long roundTripNanos, boolean callsWait, long nowNanos) {
    remember(roundTripNanos, nowNanos);
    totalNanos += roundTripNanos;
    answered++;
    if (answered < limit) {
      return;
    }
    if (callsWait) {
      long best = Math.min(bestNanos, bestBeforeNanos);
      long usual = totalNanos / answered;
      if (usual > 2 * best) {
        limit = Math.max(MIN, limit - 1);
      } else if (usual < best + best / 2) {
        limit = Math.min(MAX, limit + 1);
      }
    }
    answered = 0;
    totalNanos = 0;
  }

  private void remember(long roundTripNanos, long nowNanos) {
    if (!remembers || nowNanos - rememberedNanos > MEMORY_NANOS) {
      remembers = true;
      rememberedNanos = nowNanos;
      bestBeforeNanos = bestNanos;
      bestNanos = Long.MAX_VALUE;
    }
    bestNanos = Math.min(bestNanos, roundTripNanos);
  }
}
