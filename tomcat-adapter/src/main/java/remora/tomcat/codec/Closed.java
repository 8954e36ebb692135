package remora.tomcat.codec;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A stored value that was not opened, in the place of what it holds: to this Tomcat it cannot be
 * decoded, and it goes back to the store as it came. Has a type of its own, which never leaves this
 * process: {@link #original} comes first.
 */
public final class Closed {

  /** The type tag of an encrypted value in the store, as FORMAT.md has it. */
  public static final int SEALED = 101;

  /** Of this process alone: no tag that is written is as large. */
  static final int TAG = Integer.MAX_VALUE;

  /** Why a value was not opened. */
  public enum Why {
    /** It is encrypted under a key that is not known here. */
    NO_KEY,
    /** It is not what was encrypted for its place. */
    CHANGED,
    /** It is not encrypted, and only what is is believed. */
    PLAINTEXT
  }

  /** Why, and the type that the value came with, in bytes. */
  private static final int HEAD_BYTES = 1 + Integer.BYTES;

  private Closed() {}

  /**
   * Keeps a value closed.
   *
   * @param why the reason
   * @param type the type tag that it came with
   * @param bytes the value as it came
   * @return what stands for it here
   */
  public static Encoded of(Why why, int type, byte[] bytes) {
    ByteBuffer kept = ByteBuffer.allocate(HEAD_BYTES + bytes.length);
    kept.put((byte) why.ordinal()).putInt(type).put(bytes);
    return new Encoded(TAG, kept.array());
  }

  /**
   * Whether a type is that of a closed value.
   *
   * @param type a type tag
   * @return true for what {@link #of} makes
   */
  public static boolean is(int type) {
    return (type & ~Encoded.HEARS) == TAG;
  }

  /**
   * The value as it came.
   *
   * @param bytes of a closed value
   * @return its own type and bytes
   */
  public static Encoded original(byte[] bytes) {
    int type = ByteBuffer.wrap(bytes).getInt(1);
    return new Encoded(type, Arrays.copyOfRange(bytes, HEAD_BYTES, bytes.length));
  }

  /** Why a value was not opened, for people; whatever the bytes are. */
  static String sentence(byte[] bytes) {
    int why = bytes.length < HEAD_BYTES ? -1 : bytes[0];
    if (why == Why.NO_KEY.ordinal()) {
      return "it is encrypted under the key \"" + name(bytes) + "\", which encryptionKeys lacks";
    } else if (why == Why.PLAINTEXT.ordinal()) {
      return "it is not encrypted, and encryptionKeys does not say \"plaintext accepted\"";
    }
    return "it was encrypted for another place, or changed since";
  }

  private static String name(byte[] bytes) {
    int length = bytes.length == HEAD_BYTES ? 0 : Math.max(0, bytes[HEAD_BYTES]);
    int end = Math.min(HEAD_BYTES + 1 + length, bytes.length);
    return new String(Arrays.copyOfRange(bytes, HEAD_BYTES, end), StandardCharsets.US_ASCII)
        .replaceFirst("(?s)^.", "") // its length
        .replaceAll("[^A-Za-z0-9_.-]", "?");
  }
}
