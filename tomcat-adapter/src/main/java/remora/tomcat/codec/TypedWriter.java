package remora.tomcat.codec;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.time.Period;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.ConcurrentModificationException;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;

/**
 * Writes one value in the adapter's own format, or finds that it cannot.
 *
 * <p>Equal contents give equal bytes: hash maps and hash sets are written in the order of their
 * elements' bytes, so that a copy built on another node is not taken for a change.
 */
final class TypedWriter {

  /** Levels of nested collections. */
  static final int DEPTH_MAX = 32;

  /** What {@link #write} says of a value that the format does not know. */
  static final int UNKNOWN = -1;

  private final ByteSink sink;
  private final ReadableClasses readable;

  /** Mutable objects met so far; one met twice needs Java serialization. */
  private Map<Object, Boolean> met;

  TypedWriter(ByteSink sink, ReadableClasses readable) {
    this.sink = sink;
    this.readable = readable;
  }

  /** Writes the value's layout and returns its tag, or {@link #UNKNOWN}: drop what was written. */
  int write(Object value) {
    return write(value, 0);
  }

  private int write(Object value, int depth) {
    if (value == null) {
      return Tag.NULL;
    }
    Class<?> type = value.getClass();
    if (type == String.class) {
      return writeString((String) value);
    }
    int tag = writeNumber(type, value);
    if (tag == UNKNOWN) {
      tag = writeTime(type, value);
    }
    if (tag == UNKNOWN) {
      tag = writeOther(type, value);
    }
    return tag == UNKNOWN ? writeContainer(type, value, depth) : tag;
  }

  private int writeString(String value) {
    Charset utf8 = StandardCharsets.UTF_8;
    byte[] bytes = value.getBytes(utf8);
    if (!new String(bytes, utf8).equals(value)) { // it has half of a surrogate pair
      sink.writeBlock(utf16(value));
      return Tag.STRING_UTF16;
    }
    sink.writeBlock(bytes);
    return Tag.STRING;
  }

  /** Java's own UTF-16 encoder replaces unpaired surrogates; this keeps them. */
  private static byte[] utf16(String value) {
    byte[] bytes = new byte[value.length() * 2];
    for (int i = 0; i < value.length(); i++) {
      bytes[2 * i] = (byte) (value.charAt(i) >> 8);
      bytes[2 * i + 1] = (byte) value.charAt(i);
    }
    return bytes;
  }

  private int writeNumber(Class<?> type, Object value) {
    if (type == Integer.class) {
      sink.write4((Integer) value);
      return Tag.INTEGER;
    } else if (type == Long.class) {
      sink.write8((Long) value);
      return Tag.LONG;
    } else if (type == Boolean.class) {
      sink.write((Boolean) value ? 1 : 0);
      return Tag.BOOLEAN;
    } else if (type == Double.class) {
      sink.write8(Double.doubleToRawLongBits((Double) value));
      return Tag.DOUBLE;
    } else if (type == Float.class) {
      sink.write4(Float.floatToRawIntBits((Float) value));
      return Tag.FLOAT;
    } else if (type == Short.class) {
      sink.write2((Short) value);
      return Tag.SHORT;
    } else if (type == Byte.class) {
      sink.write((Byte) value);
      return Tag.BYTE;
    } else if (type == Character.class) {
      sink.write2((Character) value);
      return Tag.CHARACTER;
    } else if (type == BigInteger.class) {
      sink.writeBlock(((BigInteger) value).toByteArray());
      return Tag.BIG_INTEGER;
    } else if (type == BigDecimal.class) {
      sink.write4(((BigDecimal) value).scale());
      sink.writeBlock(((BigDecimal) value).unscaledValue().toByteArray());
      return Tag.BIG_DECIMAL;
    }
    return UNKNOWN;
  }

  private int writeTime(Class<?> type, Object value) {
    if (type == Instant.class) {
      sink.write8(((Instant) value).getEpochSecond());
      sink.write4(((Instant) value).getNano());
      return Tag.INSTANT;
    } else if (type == LocalDate.class) {
      sink.write8(((LocalDate) value).toEpochDay());
      return Tag.LOCAL_DATE;
    } else if (type == LocalTime.class) {
      sink.write8(((LocalTime) value).toNanoOfDay());
      return Tag.LOCAL_TIME;
    } else if (type == LocalDateTime.class) {
      writeLocal((LocalDateTime) value);
      return Tag.LOCAL_DATE_TIME;
    } else if (type == OffsetDateTime.class) {
      writeLocal(((OffsetDateTime) value).toLocalDateTime());
      sink.write4(((OffsetDateTime) value).getOffset().getTotalSeconds());
      return Tag.OFFSET_DATE_TIME;
    } else if (type == ZonedDateTime.class) {
      writeLocal(((ZonedDateTime) value).toLocalDateTime());
      sink.write4(((ZonedDateTime) value).getOffset().getTotalSeconds());
      sink.writeText(((ZonedDateTime) value).getZone().getId());
      return Tag.ZONED_DATE_TIME;
    } else if (type == Duration.class) {
      sink.write8(((Duration) value).getSeconds());
      sink.write4(((Duration) value).getNano());
      return Tag.DURATION;
    } else if (type == Period.class) {
      sink.write4(((Period) value).getYears());
      sink.write4(((Period) value).getMonths());
      sink.write4(((Period) value).getDays());
      return Tag.PERIOD;
    }
    return UNKNOWN;
  }

  private void writeLocal(LocalDateTime value) {
    sink.write8(value.toLocalDate().toEpochDay());
    sink.write8(value.toLocalTime().toNanoOfDay());
  }

  private int writeOther(Class<?> type, Object value) {
    if (type == UUID.class) {
      sink.write8(((UUID) value).getMostSignificantBits());
      sink.write8(((UUID) value).getLeastSignificantBits());
      return Tag.UUID;
    } else if (type == Locale.class) {
      String tag = ((Locale) value).toLanguageTag();
      if (!Locale.forLanguageTag(tag).equals(value)) {
        return UNKNOWN;
      }
      sink.writeText(tag);
      return Tag.LOCALE;
    } else if (value instanceof Enum) {
      Class<?> declared = ((Enum<?>) value).getDeclaringClass();
      readable.checkNamed(declared);
      sink.writeText(declared.getName());
      sink.writeText(((Enum<?>) value).name());
      return Tag.ENUM;
    }
    return UNKNOWN;
  }

  /** Mutable things: all that holds others, and all whose identity could be shared. */
  private int writeContainer(Class<?> type, Object value, int depth) {
    int tag = containerTag(type, value);
    if (tag == UNKNOWN || depth >= DEPTH_MAX || isMetAgain(value)) {
      return UNKNOWN;
    }
    boolean written;
    if (tag == Tag.DATE) {
      sink.write8(((Date) value).getTime());
      written = true;
    } else if (tag == Tag.BYTES) {
      sink.writeBlock((byte[]) value);
      written = true;
    } else if (tag == Tag.STRINGS) {
      written = writeAll(Arrays.asList((String[]) value), false, depth);
    } else if (tag == Tag.LINKED_HASH_MAP) {
      LinkedHashMap<?, ?> copy = (LinkedHashMap<?, ?>) ((LinkedHashMap<?, ?>) value).clone();
      written = writeAll(copy.entrySet(), true, depth) && !isOrderedByAccess(copy);
    } else if (tag == Tag.TREE_MAP) {
      written = writeAll(((Map<?, ?>) value).entrySet(), true, depth);
    } else if (tag == Tag.HASH_MAP) {
      written = writeSorted(((Map<?, ?>) value).entrySet(), true, depth);
    } else if (tag == Tag.HASH_SET) {
      written = writeSorted((Collection<?>) value, false, depth);
    } else {
      written = writeAll((Collection<?>) value, false, depth);
    }
    return written ? tag : UNKNOWN;
  }

  private boolean isMetAgain(Object value) {
    if (met == null) {
      met = new IdentityHashMap<>();
    }
    return met.put(value, true) != null;
  }

  /** No method tells, but two entries of our own in a copy do, which this empties. */
  @SuppressWarnings("unchecked")
  private static boolean isOrderedByAccess(LinkedHashMap<?, ?> copy) {
    LinkedHashMap<Object, Object> probed = (LinkedHashMap<Object, Object>) copy;
    probed.clear();
    probed.put(Tag.NULL, null);
    probed.put(Tag.STRING, null);
    probed.get(Tag.NULL);
    return !probed.keySet().iterator().next().equals(Tag.NULL);
  }

  private static int containerTag(Class<?> type, Object value) {
    if (type == ArrayList.class) {
      return Tag.ARRAY_LIST;
    } else if (type == HashMap.class) {
      return Tag.HASH_MAP;
    } else if (type == LinkedHashMap.class) {
      return Tag.LINKED_HASH_MAP;
    } else if (type == byte[].class) {
      return Tag.BYTES;
    } else if (type == Date.class) {
      return Tag.DATE;
    } else if (type == String[].class) {
      return Tag.STRINGS;
    } else if (type == LinkedList.class) {
      return Tag.LINKED_LIST;
    } else if (type == HashSet.class) {
      return Tag.HASH_SET;
    } else if (type == LinkedHashSet.class) {
      return Tag.LINKED_HASH_SET;
    } else if (type == TreeSet.class && ((TreeSet<?>) value).comparator() == null) {
      return Tag.TREE_SET;
    } else if (type == TreeMap.class && ((TreeMap<?, ?>) value).comparator() == null) {
      return Tag.TREE_MAP;
    }
    return UNKNOWN;
  }

  private boolean writeElement(Object value, int depth) {
    int at = sink.size();
    sink.write(0);
    int tag = write(value, depth + 1);
    if (tag == UNKNOWN) {
      return false;
    }
    sink.set(at, tag);
    return true;
  }

  /** What a collection holds, in its own order; each two are an entry if it is a map's. */
  private boolean writeAll(Collection<?> values, boolean isMap, int depth) {
    int size = values.size();
    sink.writeVarint(size);
    int written = 0;
    for (Object value : values) {
      if (!writeOne(value, isMap, depth)) {
        return false;
      }
      written++;
    }
    checkCount(written, size);
    return true;
  }

  /** The same where the order is nobody's: by the bytes. */
  private boolean writeSorted(Collection<?> values, boolean isMap, int depth) {
    int[] ends = new int[values.size()];
    sink.writeVarint(ends.length);
    int start = sink.size();
    int written = 0;
    for (Object value : values) {
      if (!writeOne(value, isMap, depth)) {
        return false;
      }
      if (written < ends.length) {
        ends[written] = sink.size();
      }
      written++;
    }
    checkCount(written, ends.length);
    sink.sortRuns(start, ends);
    return true;
  }

  private boolean writeOne(Object value, boolean isMap, int depth) {
    if (isMap) {
      Map.Entry<?, ?> entry = (Map.Entry<?, ?>) value;
      return writeElement(entry.getKey(), depth) && writeElement(entry.getValue(), depth);
    }
    return writeElement(value, depth);
  }

  /** Iterators of the JDK look whether another thread came between, but not before the first. */
  private static void checkCount(int written, int size) {
    if (written != size) {
      throw new ConcurrentModificationException();
    }
  }
}
