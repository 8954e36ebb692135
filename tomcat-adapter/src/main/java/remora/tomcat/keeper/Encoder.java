package remora.tomcat.keeper;

import remora.tomcat.copy.Encoding;

/** Looks at what a session holds under a name, in the form in which the store is told. */
public interface Encoder {

  /**
   * Encodes what is there. Runs the application's own serialization, so nothing of the keeper's is
   * held meanwhile.
   *
   * @param session whose
   * @param name a name as the store has it
   * @param stamp drawn before the call
   * @return what was found
   * @throws ChangingException if another thread changes the value meanwhile
   * @throws PermanentFaultException if the value cannot be stored, and staying here is no way out
   */
  Encoding encode(Live session, String name, long stamp);

  /**
   * Encodes an object that is not in the session any more.
   *
   * @param name the attribute that it was
   * @param value the object
   * @param stamp drawn before the call
   * @return what it is now
   * @throws ChangingException if another thread changes it meanwhile
   */
  Encoding encode(String name, Object value, long stamp);

  /** Another thread changes the value while it is encoded. */
  final class ChangingException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /**
     * Says which.
     *
     * @param message a sentence that names the attribute
     * @param cause how it showed
     */
    public ChangingException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
