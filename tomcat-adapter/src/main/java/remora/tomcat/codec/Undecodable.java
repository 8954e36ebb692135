package remora.tomcat.codec;

/**
 * Stands for a value that this application cannot decode now: a class it does not have, or does not
 * allow. Keeps the bytes, so that another version of the application gets the value back.
 */
public final class Undecodable {

  private final int type;
  private final byte[] bytes;
  private final CodecException cause;

  Undecodable(int type, byte[] bytes, CodecException cause) {
    this.type = type;
    this.bytes = bytes;
    this.cause = cause;
  }

  /**
   * The type tag that came with the bytes.
   *
   * @return the tag
   */
  public int type() {
    return type;
  }

  /**
   * The value as it came.
   *
   * @return the bytes, not copied
   */
  public byte[] bytes() {
    return bytes;
  }

  /**
   * Why it could not be decoded.
   *
   * @return an exception whose message is a sentence for people
   */
  public CodecException cause() {
    return cause;
  }
}
