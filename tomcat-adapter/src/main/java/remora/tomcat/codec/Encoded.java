package remora.tomcat.codec;

/** A value as bytes. The bytes belong to this object: nobody changes them. */
public final class Encoded {

  private final int type;
  private final byte[] bytes;

  Encoded(int type, byte[] bytes) {
    this.type = type;
    this.bytes = bytes;
  }

  /**
   * How the bytes are to be read.
   *
   * @return the type tag
   */
  public int type() {
    return type;
  }

  /**
   * The value.
   *
   * @return the bytes, not copied
   */
  public byte[] bytes() {
    return bytes;
  }
}
