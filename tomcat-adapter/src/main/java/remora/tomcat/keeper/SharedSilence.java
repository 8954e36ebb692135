package remora.tomcat.keeper;

import remora.tomcat.store.StoreUnavailableException;

/**
 * The last time that the store gave no answer. Requests that queue for one session share the answer
 * of the one in front; they share its absence too, or each of them would wait for the store timeout
 * after all those before it. Guarded by the lock that they queue for.
 */
final class SharedSilence {

  private final StoreUnavailableException cause;
  private final long atNanos = System.nanoTime();

  /**
   * A call was not answered.
   *
   * @param cause what the call threw
   */
  SharedSilence(StoreUnavailableException cause) {
    this.cause = cause;
  }

  /**
   * Spares a caller that has waited through a silence another one.
   *
   * @param last the last silence, or null
   * @param sinceNanos monotonic time at which the caller began to wait
   * @throws StoreUnavailableException if a call in front of it was not answered
   */
  static void rethrow(SharedSilence last, long sinceNanos) {
    if (last != null && last.atNanos - sinceNanos >= 0) {
      throw new StoreUnavailableException(last.cause.getMessage());
    }
  }
}
