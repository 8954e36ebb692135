package remora.tomcat.link;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What a class file says of itself and names of others (JVM specification, 4.1 and 4.4). Fields,
 * methods and code are left out: all that they name is in the constant pool.
 */
public final class ClassFile {

  private static final int MAGIC = 0xcafebabe;

  private static final int UTF8 = 1;
  private static final int CLASS = 7;
  private static final int FIELD = 9;
  private static final int METHOD = 10;
  private static final int INTERFACE_METHOD = 11;

  private final int majorVersion;
  private final String name;
  private final List<String> parents = new ArrayList<>();
  private final int[] tags;
  private final int[] values;
  private final String[] texts;

  /** A field or method that a class uses. Names of classes have slashes, as in the file. */
  static final class Member {
    final String owner;
    final String name;
    final String descriptor;

    private Member(String owner, String name, String descriptor) {
      this.owner = owner;
      this.name = name;
      this.descriptor = descriptor;
    }

    boolean isMethod() {
      return descriptor.startsWith("(");
    }

    @Override
    public String toString() {
      return owner.replace('/', '.') + "." + name + (isMethod() ? descriptor : "");
    }
  }

  /**
   * Reads a class file.
   *
   * @param bytes all of it
   * @throws IOException if it is none
   */
  public ClassFile(byte[] bytes) throws IOException {
    DataInputStream input = new DataInputStream(new ByteArrayInputStream(bytes));
    if (input.readInt() != MAGIC) {
      throw new IOException("not a class file");
    }
    input.readUnsignedShort();
    majorVersion = input.readUnsignedShort();
    int count = input.readUnsignedShort();
    tags = new int[count];
    values = new int[count];
    texts = new String[count];
    for (int index = 1; index < count; index++) {
      tags[index] = input.readUnsignedByte();
      index += readEntry(input, index);
    }
    input.readUnsignedShort();
    name = className(input.readUnsignedShort());
    int superclass = input.readUnsignedShort();
    if (superclass != 0) {
      parents.add(className(superclass));
    }
    for (int left = input.readUnsignedShort(); left > 0; left--) {
      parents.add(className(input.readUnsignedShort()));
    }
  }

  /** Reads one entry; returns how many indexes it takes beyond its own. */
  private int readEntry(DataInputStream input, int index) throws IOException {
    switch (tags[index]) {
      case UTF8:
        texts[index] = input.readUTF();
        return 0;
      case 5: // long
      case 6: // double
        input.readLong();
        return 1;
      case CLASS:
      case 8: // string
      case 16: // method type
      case 19: // module
      case 20: // package
        values[index] = input.readUnsignedShort();
        return 0;
      case 15: // method handle
        input.readUnsignedByte();
        input.readUnsignedShort();
        return 0;
      case 3: // int
      case 4: // float
      case FIELD:
      case METHOD:
      case INTERFACE_METHOD:
      case 12: // name and type
      case 17: // dynamic
      case 18: // invokedynamic
        values[index] = input.readInt();
        return 0;
      default:
        throw new IOException("constant pool entry of unknown tag " + tags[index]);
    }
  }

  private String className(int index) {
    return texts[values[index]];
  }

  /**
   * The version of the format.
   *
   * @return 52 for Java 8
   */
  public int majorVersion() {
    return majorVersion;
  }

  /**
   * Every text: names, descriptors, string constants.
   *
   * @return a list of the caller's own
   */
  public List<String> texts() {
    List<String> all = new ArrayList<>();
    for (String text : texts) {
      if (text != null) {
        all.add(text);
      }
    }
    return all;
  }

  String name() {
    return name;
  }

  /** The superclass and the interfaces. */
  List<String> parents() {
    return parents;
  }

  /** Classes that this one names; of an array, those of its elements. */
  Set<String> classes() {
    Set<String> named = new LinkedHashSet<>();
    for (int index = 1; index < tags.length; index++) {
      if (tags[index] == CLASS) {
        String text = className(index);
        int array = text.lastIndexOf('[') + 1;
        if (array == 0) {
          named.add(text);
        } else if (text.charAt(array) == 'L') {
          named.add(text.substring(array + 1, text.length() - 1));
        }
      }
    }
    return named;
  }

  /** Fields and methods that this class uses, its own included. */
  List<Member> members() {
    List<Member> used = new ArrayList<>();
    for (int index = 1; index < tags.length; index++) {
      if (tags[index] >= FIELD && tags[index] <= INTERFACE_METHOD) {
        int nameAndType = values[values[index] & 0xffff];
        used.add(
            new Member(
                className(values[index] >>> 16),
                texts[nameAndType >>> 16],
                texts[nameAndType & 0xffff]));
      }
    }
    return used;
  }
}
