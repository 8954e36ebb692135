package remora.tomcat.store.grpc;

import java.util.concurrent.TimeUnit;
import remora.tomcat.store.SessionStore;

/**
 * The durations that the store and this adapter must keep in order: what the store said when it
 * opened a stream, and what follows from that here. Immutable.
 *
 * <p>Every relation is checked once for each stream, when its Welcome comes; a store that breaks
 * one is not used, because a promise would then break quietly, under load and not in a test.
 */
final class Durations {

  private final long trustMillis;
  private final long handoverMillis;
  private final long evictedWithinMillis;
  private final long confirmEveryMillis;

  private Durations(remora.proto.v1.Durations said) {
    trustMillis = Integer.toUnsignedLong(said.getTrustMs());
    handoverMillis = Integer.toUnsignedLong(said.getHandoverMs());
    evictedWithinMillis = Integer.toUnsignedLong(said.getEvictedWithinMs());
    confirmEveryMillis = Integer.toUnsignedLong(said.getConfirmEveryMs());
  }

  /**
   * Takes what a store said.
   *
   * @throws IllegalArgumentException with a sentence for people if it breaks an order
   */
  static Durations of(remora.proto.v1.Durations said) {
    Durations durations = new Durations(said);
    durations.require(
        durations.confirmEveryMillis > 0 && durations.evictedWithinMillis > 0,
        "none of them may be nothing");
    durations.require(
        2 * durations.confirmEveryMillis < durations.silenceMillisMax(),
        "a leader must speak twice before it is taken for silent, as one confirmation may be late");
    durations.require(
        durations.silenceMillisMax() < durations.trustMillis,
        "a silent leader must be left before trust in its last confirmation ends");
    durations.require(
        Math.max(durations.trustMillis, durations.handoverMillis) < durations.evictedWithinMillis,
        "the store must wait for the previous owner of a session longer than that one trusts its"
            + " copy, and longer than it may take to acknowledge");
    durations.require(
        SessionStore.PAUSE_MILLIS <= durations.handoverMillis,
        "a pause that outlasts the handover of a session must be noticed, and here those above "
            + SessionStore.PAUSE_MILLIS
            + " ms are");
    return durations;
  }

  private void require(boolean inOrder, String reason) {
    if (!inOrder) {
      throw new IllegalArgumentException(
          "the store's durations do not fit this adapter (trust "
              + trustMillis
              + " ms, confirmed every "
              + confirmEveryMillis
              + " ms, handover "
              + handoverMillis
              + " ms, evicted within "
              + evictedWithinMillis
              + " ms): "
              + reason
              + "; use releases of store and adapter that belong together");
    }
  }

  /** How long after a probe its confirmation lets near copies be used unasked. */
  long trustNanos() {
    return TimeUnit.MILLISECONDS.toNanos(trustMillis);
  }

  /** How long a leader may say nothing: three quarters of trust, so that another is found in it. */
  long silenceNanosMax() {
    return TimeUnit.MILLISECONDS.toNanos(silenceMillisMax());
  }

  private long silenceMillisMax() {
    return trustMillis * 3 / 4;
  }
}
