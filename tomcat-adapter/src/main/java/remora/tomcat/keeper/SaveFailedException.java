package remora.tomcat.keeper;

/** A change of a session is not stored, or not known to be. The response must not reveal it. */
public class SaveFailedException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * Says why.
   *
   * @param message a sentence for the administrator
   */
  public SaveFailedException(String message) {
    super(message);
  }

  /**
   * Says why.
   *
   * @param message a sentence for the administrator
   * @param cause what went wrong
   */
  public SaveFailedException(String message, Throwable cause) {
    super(message, cause);
  }
}
