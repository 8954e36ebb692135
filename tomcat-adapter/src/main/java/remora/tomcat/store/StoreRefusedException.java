package remora.tomcat.store;

/** The store refused a request that will be refused again. Nothing happened. */
public final class StoreRefusedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** Why. */
  public enum Reason {
    /** A field is missing, malformed or out of range. */
    MALFORMED,
    /** The certificate of this Tomcat does not speak for the application. */
    FORBIDDEN,
    /** The session, an attribute or the message is over its limit. */
    TOO_LARGE
  }

  /** Why the store refused. */
  private final Reason reason;

  /**
   * Says why.
   *
   * @param reason why
   * @param message the store's sentence
   */
  public StoreRefusedException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /**
   * Why.
   *
   * @return the reason
   */
  public Reason reason() {
    return reason;
  }
}
