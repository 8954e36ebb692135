package remora.tomcat.copy;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;

/**
 * An attribute's value as bytes: what the store keeps, and what sits in a session until somebody
 * asks for the attribute. Immutable but for the mark of an attribute that cannot be decoded.
 */
public final class EncodedValue {

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
   * What the value is compared by. Kept instead of the bytes of values that are decoded.
   *
   * @return 16 bytes over type and bytes
   */
  public Fingerprint fingerprint() {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update((byte) (type >> 8));
      digest.update((byte) type);
      return new Fingerprint(Arrays.copyOf(digest.digest(bytes), Fingerprint.BYTES));
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("every Java platform must have SHA-256", impossible);
    }
  }

  /** What a value is compared by. Immutable. */
  public static final class Fingerprint {

    /** 128 bits: equal fingerprints are equal values. */
    static final int BYTES = 16;

    private final byte[] hash;

    private Fingerprint(byte[] hash) {
      this.hash = hash;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Fingerprint && Arrays.equals(hash, ((Fingerprint) other).hash);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(hash);
    }
  }
}
