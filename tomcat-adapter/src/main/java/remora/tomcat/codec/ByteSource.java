package remora.tomcat.codec;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Bytes being read. Every length is checked before anything is allocated for it. */
final class ByteSource {

  private final byte[] bytes;
  private int position;

  ByteSource(byte[] bytes) {
    this.bytes = bytes;
  }

  int remaining() {
    return bytes.length - position;
  }

  int read1() {
    need(1);
    return bytes[position++] & 0xff;
  }

  int read2() {
    return read1() << 8 | read1();
  }

  int read4() {
    return read2() << 16 | read2();
  }

  long read8() {
    long high = read4();
    return high << 32 | (read4() & 0xffffffffL);
  }

  /** A count or length: never more than bytes remain, as everything counted takes a byte. */
  int readCount() {
    int value = 0;
    for (int shift = 0; shift < 32; shift += 7) {
      int next = read1();
      value |= (next & 0x7f) << shift;
      if (next < 0x80) {
        need(value);
        return value;
      }
    }
    throw new CodecException("a length in the stored value is malformed");
  }

  byte[] readBlock() {
    int length = readCount();
    byte[] block = Arrays.copyOfRange(bytes, position, position + length);
    position += length;
    return block;
  }

  String readText() {
    int length = readCount();
    String text = new String(bytes, position, length, StandardCharsets.UTF_8);
    position += length;
    return text;
  }

  private void need(int count) {
    if (count < 0 || count > remaining()) {
      throw new CodecException("the stored value ends too early");
    }
  }
}
