package remora.tomcat.store;

/**
 * The store gave no answer in time, or none is waited for. Says all in its message and carries no
 * stack trace: in an outage it is made for every request.
 */
public final class StoreUnavailableException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** What may have become of the call. */
  public enum Effect {
    /** It never left this process: nothing happened, and nothing will. */
    NONE,
    /** What was asked may have happened or may still happen. */
    POSSIBLE
  }

  /** What may have become of the call. */
  private final Effect effect;

  /**
   * Says what was waited for; what was asked may have happened.
   *
   * @param message a sentence for people: how long, which addresses, what went wrong last
   */
  public StoreUnavailableException(String message) {
    this(message, Effect.POSSIBLE);
  }

  /**
   * Says what was waited for.
   *
   * @param message a sentence for people: how long, which addresses, what went wrong last
   * @param effect what may have become of the call
   */
  public StoreUnavailableException(String message, Effect effect) {
    super(message, null, false, false);
    this.effect = effect;
  }

  /**
   * What may have become of this call. Of an earlier call with the same serial it says nothing.
   *
   * @return the effect
   */
  public Effect effect() {
    return effect;
  }
}
