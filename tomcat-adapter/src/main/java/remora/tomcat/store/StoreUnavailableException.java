package remora.tomcat.store;

/** The store gave no answer in time. What was asked may have happened or may still happen. */
public final class StoreUnavailableException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * Says what was waited for.
   *
   * @param message a sentence for people: how long, which addresses, what went wrong last
   */
  public StoreUnavailableException(String message) {
    super(message);
  }
}
