package remora.tomcat.keeper;

import remora.tomcat.store.StoreUnavailableException;

/**
 * The last time that the store gave no answer. Requests that queue for one session share the answer
 * of the one in front; they share its absence too, or each of them would wait for the store timeout
 * after all those before it. Guarded by the lock that they queue for.
 */
final class SharedSilence {

  private StoreUnavailableException last;
  private long atNanos;

  /**
   * Remembers that a call was not answered.
   *
   * @param silent what the call threw
   */
  void remember(StoreUnavailableException silent) {
    last = silent;
    atNanos = System.nanoTime();
  }

  /**
   * Spares a caller that has waited through a silence another one.
   *
   * @param sinceNanos monotonic time at which the caller began to wait
   * @throws StoreUnavailableException if a call in front of it was not answered
   */
  void rethrow(long sinceNanos) {
    if (last != null && atNanos - sinceNanos >= 0) {
      throw new StoreUnavailableException(last.getMessage());
    }
  }
}
