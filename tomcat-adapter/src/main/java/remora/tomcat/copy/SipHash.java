package remora.tomcat.copy;

/**
 * SipHash-2-4 with 128 bits, as Aumasson and Bernstein published it. With a key that nobody knows,
 * nobody can prepare two messages with one hash. Pure; allocates nothing but the hash.
 */
final class SipHash {

  private final long keyLow;
  private final long keyHigh;

  private long v0;
  private long v1;
  private long v2;
  private long v3;

  /** A hash of one message; the key's bytes are little-endian, its low half first. */
  SipHash(long keyLow, long keyHigh) {
    this.keyLow = keyLow;
    this.keyHigh = keyHigh;
  }

  /** The hash in two halves, the low one first. */
  long[] of(byte[] message) {
    v0 = keyLow ^ 0x736f6d6570736575L;
    v1 = keyHigh ^ 0x646f72616e646f6dL ^ 0xee;
    v2 = keyLow ^ 0x6c7967656e657261L;
    v3 = keyHigh ^ 0x7465646279746573L;
    int whole = message.length & ~(Long.BYTES - 1);
    for (int at = 0; at < whole; at += Long.BYTES) {
      add(word(message, at, Long.BYTES));
    }
    add((long) message.length << 56 | word(message, whole, message.length - whole));
    v2 ^= 0xee;
    rounds(4);
    long low = v0 ^ v1 ^ v2 ^ v3;
    v1 ^= 0xdd;
    rounds(4);
    return new long[] {low, v0 ^ v1 ^ v2 ^ v3};
  }

  private static long word(byte[] from, int start, int bytes) {
    long word = 0;
    for (int i = 0; i < bytes; i++) {
      word |= (from[start + i] & 0xffL) << (8 * i);
    }
    return word;
  }

  private void add(long word) {
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }

  private void rounds(int count) {
    for (int i = 0; i < count; i++) {
      v0 += v1;
      v1 = Long.rotateLeft(v1, 13) ^ v0;
      v0 = Long.rotateLeft(v0, 32);
      v2 += v3;
      v3 = Long.rotateLeft(v3, 16) ^ v2;
      v0 += v3;
      v3 = Long.rotateLeft(v3, 21) ^ v0;
      v2 += v1;
      v1 = Long.rotateLeft(v1, 17) ^ v2;
      v2 = Long.rotateLeft(v2, 32);
    }
  }
}
