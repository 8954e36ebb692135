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
    reserve(2);
    bytes[size++] = (byte) (value >> 8);
    bytes[size++] = (byte) value;
  }

  void write4(int value) {
    reserve(4);
    put4(value);
  }

  void write8(long value) {
    reserve(8);
    put4((int) (value >> 32));
    put4((int) value);
  }

  private void put4(int value) {
    bytes[size] = (byte) (value >> 24);
    bytes[size + 1] = (byte) (value >> 16);
    bytes[size + 2] = (byte) (value >> 8);
    bytes[size + 3] = (byte) value;
    size += 4;
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

  int limit() {
    return limit;
  }

  /** Whether more was written than there may be; the bytes are then incomplete. */
  boolean isOverfull() {
    return overfull;
  }

  /** Overwrites one byte that was written before. */
  void set(int position, int value) {
    bytes[position] = (byte) value;
  }

  /** All that was written. */
  byte[] toBytes() {
    return Arrays.copyOf(bytes, size);
  }

  /**
   * Puts runs of bytes that follow each other into the order of their bytes: as unsigned, a shorter
   * run before a longer one that begins with it.
   *
   * @param start where the first run begins
   * @param ends where each run ends, the last one at {@link #size}
   */
  void sortRuns(int start, int[] ends) {
    Integer[] order = new Integer[ends.length];
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    byte[] runs = Arrays.copyOfRange(bytes, start, size);
    Arrays.sort(order, (left, right) -> compareRuns(runs, start, ends, left, right));
    int at = start;
    for (int each : order) {
      int from = each == 0 ? start : ends[each - 1];
      int length = ends[each] - from;
      System.arraycopy(runs, from - start, bytes, at, length);
      at += length;
    }
  }

  private static int compareRuns(byte[] runs, int start, int[] ends, int left, int right) {
    int one = (left == 0 ? start : ends[left - 1]) - start;
    int oneEnd = ends[left] - start;
    int other = (right == 0 ? start : ends[right - 1]) - start;
    int otherEnd = ends[right] - start;
    while (one < oneEnd && other < otherEnd) {
      int difference = (runs[one++] & 0xff) - (runs[other++] & 0xff);
      if (difference != 0) {
        return difference;
      }
    }
    return (oneEnd - one) - (otherEnd - other);
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
