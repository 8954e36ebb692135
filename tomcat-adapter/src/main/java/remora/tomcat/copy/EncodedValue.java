package remora.tomcat.copy;

import java.security.SecureRandom;

/**
 * An attribute's value as bytes: what the store keeps, and what sits in a session until somebody
 * asks for the attribute. Immutable but for the mark of an attribute that cannot be decoded.
 */
public final class EncodedValue {

  /** Drawn at each start, so that no user can prepare a change that is taken for none. */
  private static final long KEY_LOW;

  private static final long KEY_HIGH;

  static {
    SecureRandom random = new SecureRandom();
    KEY_LOW = random.nextLong();
    KEY_HIGH = random.nextLong();
  }

  private final int type;
  private final byte[] bytes;
  private volatile boolean undecodable;

  /**
   * Makes an encoded value.
   *
   * @param type the codec's type tag
   * @param bytes the encoded value, not copied
   */
  public EncodedValue(int type, byte[] bytes) {
    this.type = type;
    this.bytes = bytes;
  }

  /**
   * How the bytes are to be read.
   *
   * @return the codec's type tag
   */
  public int type() {
    return type;
  }

  /**
   * The value.
   *
   * @return not a copy
   */
  public byte[] bytes() {
    return bytes;
  }

  /**
   * Whether decoding failed once.
   *
   * @return true if nobody should try again
   */
  public boolean isUndecodable() {
    return undecodable;
  }

  /** Remembers that decoding failed: the bytes stay, nobody tries again. */
  public void markUndecodable() {
    undecodable = true;
  }

  /**
   * What the value is compared by. Kept instead of the bytes of values that are decoded. Means
   * something in this process alone.
   *
   * @return 128 bits over type and bytes
   */
  public Fingerprint fingerprint() {
    long[] hash = new SipHash(KEY_LOW, KEY_HIGH ^ type).of(bytes);
    return new Fingerprint(hash[0], hash[1]);
  }

  /** What a value is compared by: equal fingerprints are equal values. Immutable. */
  public static final class Fingerprint {

    private final long low;
    private final long high;

    private Fingerprint(long low, long high) {
      this.low = low;
      this.high = high;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Fingerprint
          && low == ((Fingerprint) other).low
          && high == ((Fingerprint) other).high;
    }

    @Override
    public int hashCode() {
      return Long.hashCode(low);
    }
  }
}
