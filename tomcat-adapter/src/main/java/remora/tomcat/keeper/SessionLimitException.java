package remora.tomcat.keeper;

/**
 * A login is not stored, because its user has as many sessions as the application allows. Nobody is
 * logged in by it: the session is as it was before. The user gets the application's own error page
 * for 403.
 */
public final class SessionLimitException extends PermanentFaultException {

  private static final long serialVersionUID = 1L;

  /**
   * Says why.
   *
   * @param message a sentence for the administrator
   */
  public SessionLimitException(String message) {
    super(message, null);
  }
}
