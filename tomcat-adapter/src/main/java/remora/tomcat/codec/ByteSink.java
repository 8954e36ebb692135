package remora.tomcat.codec;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes being written, up to a limit. */
final class ByteSink extends OutputStream {

  /** Room at first; most attributes are smaller. */
  private static final int CAPACITY_FIRST = 256;

  private final int limit;
  private byte[] bytes = new byte[CAPACITY_FIRST];
  private int size;
  private boolean overfull;

  ByteSink(int limit) {
    this.limit = limit;
  }

  @Override
  public void write(int value) {
    reserve(1);
    bytes[size++] = (byte) value;
  }

  @Override
  public void write(byte[] from, int offset, int length) {
    reserve(length);
    System.arraycopy(from, offset, bytes, size, length);
    size += length;
  }

  void write2(int value) {
    write(value >> 8);
    write(value);
  }

  void write4(int value) {
    write2(value >> 16);
    write2(value);
  }

  void write8(long value) {
    write4((int) (value >> 32));
    write4((int) value);
  }

  /** Seven bits a byte, lowest first; the top bit says that more follow. */
  void writeVarint(int value) {
    int rest = value;
    while ((rest & ~0x7f) != 0) {
      write(rest | 0x80);
      rest >>>= 7;
    }
    write(rest);
  }

  void writeBlock(byte[] block) {
    writeVarint(block.length);
    write(block, 0, block.length);
  }

  void writeText(String text) {
    writeBlock(text.getBytes(StandardCharsets.UTF_8));
  }

  int size() {
    return size;
  }

  /** Whether more was written than there may be; the bytes are then incomplete. */
  boolean isOverfull() {
    return overfull;
  }

  /** Forgets all that was written. */
  void clear() {
    size = 0;
    overfull = false;
  }

  /** Overwrites one byte that was written before. */
  void set(int position, int value) {
    bytes[position] = (byte) value;
  }

  /** All that was written. */
  byte[] toBytes() {
    return Arrays.copyOf(bytes, size);
  }

  /** Takes back what was written from this size on. */
  byte[] takeFrom(int start) {
    byte[] taken = Arrays.copyOfRange(bytes, start, size);
    size = start;
    return taken;
  }

  private void reserve(int more) {
    if (more > limit - size) {
      overfull = true;
      throw new IllegalStateException("the value takes more than " + limit + " bytes");
    }
    if (size + more > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(size + more, Math.min(limit, bytes.length * 2)));
    }
  }
}
