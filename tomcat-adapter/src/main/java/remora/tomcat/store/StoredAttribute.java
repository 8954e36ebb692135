package remora.tomcat.store;

/** One attribute as the store keeps it. The bytes belong to this value: nobody changes them. */
public final class StoredAttribute {

  private final String name;
  private final long version;
  private final int type;
  private final byte[] bytes;

  /**
   * Makes an attribute.
   *
   * @param name at most 256 bytes of UTF-8
   * @param version version of the command that last changed it; ignored in a save
   * @param type the codec's type tag
   * @param bytes the encoded value
   */
  public StoredAttribute(String name, long version, int type, byte[] bytes) {
    this.name = name;
    this.version = version;
    this.type = type;
    this.bytes = bytes;
  }

  /**
   * The attribute's name.
   *
   * @return the name
   */
  public String name() {
    return name;
  }

  /**
   * When it last changed.
   *
   * @return version of the command that last changed it
   */
  public long version() {
    return version;
  }

  /**
   * How the value is encoded.
   *
   * @return the codec's type tag
   */
  public int type() {
    return type;
  }

  /**
   * The encoded value, not copied.
   *
   * @return the bytes, which the caller must not change
   */
  public byte[] bytes() {
    return bytes;
  }
}
