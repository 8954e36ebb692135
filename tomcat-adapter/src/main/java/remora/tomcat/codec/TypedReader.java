package remora.tomcat.codec;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.Period;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/** Reads one value in the adapter's own format. Loads no class but an allowed enum's. */
final class TypedReader {

  private final ByteSource source;
  private final ClassLoader loader;
  private final ClassFilter filter;

  TypedReader(ByteSource source, ClassLoader loader, ClassFilter filter) {
    this.source = source;
    this.loader = loader;
    this.filter = filter;
  }

  /** Reads all bytes as one value of this tag; throws whatever hostile bytes lead to. */
  Object readAll(int tag) throws ClassNotFoundException {
    Object value = read(tag, 0);
    if (source.remaining() > 0) {
      throw new CodecException("the stored value is longer than its type allows");
    }
    return value;
  }

  private Object read(int tag, int depth) throws ClassNotFoundException {
    if (tag <= Tag.BIG_DECIMAL) {
      return readSimple(tag);
    } else if (tag <= Tag.PERIOD && tag >= Tag.DATE) {
      return readTime(tag);
    } else if (tag < Tag.STRINGS) {
      return readOther(tag);
    } else if (depth >= TypedWriter.DEPTH_MAX) {
      throw new CodecException("the stored value nests deeper than any that is written");
    } else if (tag < Tag.HASH_MAP) {
      return readCollection(tag, depth);
    }
    return readMap(tag, depth);
  }

  private Object readElement(int depth) throws ClassNotFoundException {
    return read(source.read1(), depth + 1);
  }

  private Object readSimple(int tag) {
    switch (tag) {
      case Tag.NULL:
        return null;
      case Tag.STRING:
        return source.readText();
      case Tag.STRING_UTF16:
        return utf16(source.readBlock());
      case Tag.BOOLEAN:
        return source.read1() != 0;
      case Tag.BYTE:
        return (byte) source.read1();
      case Tag.SHORT:
        return (short) source.read2();
      case Tag.CHARACTER:
        return (char) source.read2();
      case Tag.INTEGER:
        return source.read4();
      case Tag.LONG:
        return source.read8();
      case Tag.FLOAT:
        return Float.intBitsToFloat(source.read4());
      case Tag.DOUBLE:
        return Double.longBitsToDouble(source.read8());
      case Tag.BIG_INTEGER:
        return new BigInteger(source.readBlock());
      case Tag.BIG_DECIMAL:
        int scale = source.read4();
        return new BigDecimal(new BigInteger(source.readBlock()), scale);
      default:
        throw unknown(tag);
    }
  }

  private static String utf16(byte[] bytes) {
    char[] chars = new char[bytes.length / 2];
    for (int i = 0; i < chars.length; i++) {
      chars[i] = (char) ((bytes[2 * i] & 0xff) << 8 | (bytes[2 * i + 1] & 0xff));
    }
    return new String(chars);
  }

  private Object readTime(int tag) {
    switch (tag) {
      case Tag.DATE:
        return new Date(source.read8());
      case Tag.INSTANT:
        return Instant.ofEpochSecond(source.read8(), source.read4());
      case Tag.LOCAL_DATE:
        return LocalDate.ofEpochDay(source.read8());
      case Tag.LOCAL_TIME:
        return LocalTime.ofNanoOfDay(source.read8());
      case Tag.LOCAL_DATE_TIME:
        return readLocal();
      case Tag.OFFSET_DATE_TIME:
        return OffsetDateTime.of(readLocal(), ZoneOffset.ofTotalSeconds(source.read4()));
      case Tag.ZONED_DATE_TIME:
        LocalDateTime local = readLocal();
        ZoneOffset offset = ZoneOffset.ofTotalSeconds(source.read4());
        return ZonedDateTime.ofInstant(local, offset, ZoneId.of(source.readText()));
      case Tag.DURATION:
        return Duration.ofSeconds(source.read8(), source.read4());
      case Tag.PERIOD:
        return Period.of(source.read4(), source.read4(), source.read4());
      default:
        throw unknown(tag);
    }
  }

  private LocalDateTime readLocal() {
    LocalDate date = LocalDate.ofEpochDay(source.read8());
    return LocalDateTime.of(date, LocalTime.ofNanoOfDay(source.read8()));
  }

  private Object readOther(int tag) throws ClassNotFoundException {
    switch (tag) {
      case Tag.UUID:
        return new UUID(source.read8(), source.read8());
      case Tag.LOCALE:
        return Locale.forLanguageTag(source.readText());
      case Tag.BYTES:
        return source.readBlock();
      case Tag.ENUM:
        return readEnum(source.readText(), source.readText());
      default:
        throw unknown(tag);
    }
  }

  private Object readEnum(String className, String constant) throws ClassNotFoundException {
    String refusal = filter.refusal(className);
    if (refusal != null) {
      throw new CodecException(refusal);
    }
    Class<?> type = Class.forName(className, false, loader);
    if (!type.isEnum()) {
      throw new CodecException("class " + className + " is no enum any more");
    }
    for (Object value : type.getEnumConstants()) {
      if (((Enum<?>) value).name().equals(constant)) {
        return value;
      }
    }
    throw new CodecException("enum " + className + " has no constant " + constant + " any more");
  }

  private Object readCollection(int tag, int depth) throws ClassNotFoundException {
    int count = source.readCount();
    switch (tag) {
      case Tag.STRINGS:
        return fill(new ArrayList<>(count), count, depth).toArray(new String[0]);
      case Tag.ARRAY_LIST:
        return fill(new ArrayList<>(count), count, depth);
      case Tag.LINKED_LIST:
        return fill(new LinkedList<>(), count, depth);
      case Tag.HASH_SET:
        return fill(new HashSet<>(), count, depth);
      case Tag.LINKED_HASH_SET:
        return fill(new LinkedHashSet<>(), count, depth);
      case Tag.TREE_SET:
        return fill(new TreeSet<>(), count, depth);
      default:
        throw unknown(tag);
    }
  }

  private Collection<Object> fill(Collection<Object> into, int count, int depth)
      throws ClassNotFoundException {
    for (int i = 0; i < count; i++) {
      into.add(readElement(depth));
    }
    return into;
  }

  private Object readMap(int tag, int depth) throws ClassNotFoundException {
    Map<Object, Object> map;
    switch (tag) {
      case Tag.HASH_MAP:
        map = new HashMap<>();
        break;
      case Tag.LINKED_HASH_MAP:
        map = new LinkedHashMap<>();
        break;
      case Tag.TREE_MAP:
        map = new TreeMap<>();
        break;
      default:
        throw unknown(tag);
    }
    int count = source.readCount();
    for (int i = 0; i < count; i++) {
      map.put(readElement(depth), readElement(depth));
    }
    return map;
  }

  private static CodecException unknown(int tag) {
    return new CodecException(
        "type " + tag + " is not known to this version of the adapter; update it");
  }
}
