package remora.tomcat.keeper;

/**
 * A change of a session can never be stored as it is: the page's own fault, which repeating does
 * not cure. The user gets the application's own error page, for 500 unless a subclass says another
 * status, and not a 503.
 */
public class PermanentFaultException extends SaveFailedException {

  private static final long serialVersionUID = 1L;

  /**
   * Says why.
   *
   * @param message a sentence for the administrator
   * @param cause what went wrong, or null
   */
  public PermanentFaultException(String message, Throwable cause) {
    super(message, cause);
  }
}
