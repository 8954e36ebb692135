package remora.tomcat.jar;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** The version of a class file and every text in its constant pool (JVM specification, 4.4). */
final class ConstantPool {

  final int majorVersion;
  final List<String> texts = new ArrayList<>();

  ConstantPool(byte[] classFile) throws IOException {
    DataInputStream input = new DataInputStream(new ByteArrayInputStream(classFile));
    if (input.readInt() != 0xcafebabe) {
      throw new IOException("not a class file");
    }
    input.readUnsignedShort();
    majorVersion = input.readUnsignedShort();
    int count = input.readUnsignedShort();
    for (int index = 1; index < count; index++) {
      index += readEntry(input);
    }
  }

  /** Reads one entry; returns how many indexes it takes beyond its own. */
  private int readEntry(DataInputStream input) throws IOException {
    int tag = input.readUnsignedByte();
    switch (tag) {
      case 1:
        texts.add(input.readUTF());
        return 0;
      case 5:
      case 6:
        input.readLong();
        return 1;
      case 7:
      case 8:
      case 16:
      case 19:
      case 20:
        input.readUnsignedShort();
        return 0;
      case 15:
        input.readUnsignedByte();
        input.readUnsignedShort();
        return 0;
      case 3:
      case 4:
      case 9:
      case 10:
      case 11:
      case 12:
      case 17:
      case 18:
        input.readInt();
        return 0;
      default:
        throw new IOException("constant pool entry of unknown tag " + tag);
    }
  }
}
