package remora.tomcat.codec;

/** A value as bytes. The bytes belong to this object: nobody changes them. */
public final class Encoded {

  /**
   * The part of a type tag by which the store knows a value that wants to hear when its session
   * ends; beside the number, in its highest bit.
   */
  public static final int HEARS = 1 << 31;

  private final int type;
  private final byte[] bytes;

  /**
   * Makes an encoded value.
   *
   * @param type the type tag
   * @param bytes the value, not copied
   */
  public Encoded(int type, byte[] bytes) {
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
