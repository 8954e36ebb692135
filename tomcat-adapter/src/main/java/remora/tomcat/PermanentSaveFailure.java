package remora.tomcat;

/**
 * A change of a session that will never be stored, however often its request is sent: the fault of
 * the page that made it, told by the application's own error page and not by a 503.
 */
class PermanentSaveFailure extends SaveFailedException {

  private static final long serialVersionUID = 1L;

  /**
   * Says why.
   *
   * @param message a sentence for whoever wrote the page
   * @param cause what went wrong
   */
  PermanentSaveFailure(String message, Throwable cause) {
    super(message, cause);
  }
}
