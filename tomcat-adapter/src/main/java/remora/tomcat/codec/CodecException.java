package remora.tomcat.codec;

/** Bytes that cannot be decoded. Says why in a sentence. */
public final class CodecException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /**
   * Says what is wrong.
   *
   * @param message a sentence for the application's developer
   */
  public CodecException(String message) {
    super(message);
  }

  /**
   * Says what is wrong and what it came from.
   *
   * @param message a sentence for the application's developer
   * @param cause what was caught
   */
  public CodecException(String message, Throwable cause) {
    super(message, cause);
  }
}
