package program;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.text.DateFormat;
import java.text.NumberFormat;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.function.Supplier;
import java.util.regex.Pattern;

/**
 * A value as text: everything of it that a page could see, and nothing that another run would show otherwise. Objects that
 * occur again are shown by their number, so shared references and loops show.
 */
final class Shown {
  private final Map<Object, Integer> seen = new IdentityHashMap<>();

  private Shown() {}

  static String of(Object value) {
    return new Shown().show(value);
  }

  private String show(Object value) {
    if (value == null) {
      return "null";
    }
    String single = single(value);
    if (single != null) {
      return single;
    }
    Integer number = seen.putIfAbsent(value, seen.size());
    if (number != null) {
      return "#" + number;
    }
    if (value instanceof Map<?, ?>) {
      return name(value) + map((Map<?, ?>) value) + fields(value);
    }
    if (value instanceof Collection<?>) {
      return name(value) + collection((Collection<?>) value) + fields(value);
    }
    if (value.getClass().isArray()) {
      return array(value);
    }
    if (value instanceof Throwable) {
      return failure((Throwable) value);
    }
    if (Proxy.isProxyClass(value.getClass())) {
      return "proxy(" + ((OwnKinds.Greeter) value).greet() + ")";
    }
    return bean(value);
  }

  /** Values without parts; null for others. */
  private static String single(Object value) {
    if (value instanceof CharSequence) {
      return name(value) + '(' + printable(value.toString()) + ')';
    }
    if (value instanceof Noted) {
      return "Noted";
    }
    if (value instanceof Double) {
      return "Double(" + value + ' ' + Double.doubleToRawLongBits((Double) value) + ')';
    }
    if (value instanceof Class<?>) {
      return value.toString();
    }
    if (value instanceof Number || value instanceof Boolean || value instanceof Character) {
      return name(value) + '(' + printable(value.toString()) + ')';
    }
    if (value instanceof Pattern) {
      return "Pattern(" + value + ' ' + ((Pattern) value).flags() + ')';
    }
    if (value instanceof Calendar) {
      Calendar calendar = (Calendar) value;
      return "Calendar(" + calendar.getTimeInMillis() + ' ' + calendar.getTimeZone().getID()
          + ' ' + calendar.getFirstDayOfWeek() + ')';
    }
    if (value instanceof Random) {
      return "Random(" + ((Random) value).nextInt() + ')';
    }
    if (value instanceof NumberFormat) {
      return "NumberFormat(" + ((NumberFormat) value).format(1234.5) + ')';
    }
    if (value instanceof DateFormat) {
      return "DateFormat(" + ((DateFormat) value).format(new Date(0)) + ')';
    }
    if (value instanceof Supplier<?>) {
      return "Supplier(" + ((Supplier<?>) value).get() + ')';
    }
    if (value instanceof OwnKinds.Color) {
      return "Color(" + value + ' ' + ((OwnKinds.Color) value).shade() + ')';
    }
    return null;
  }

  private String map(Map<?, ?> map) {
    boolean ordered =
        map instanceof java.util.LinkedHashMap
            || map instanceof SortedMap
            || map instanceof EnumMap
            || map.getClass().getName().contains("Synchronized");
    List<String> entries = new ArrayList<>();
    for (Map.Entry<?, ?> entry : map.entrySet()) {
      entries.add(show(entry.getKey()) + '=' + show(entry.getValue()));
    }
    if (!ordered) {
      Collections.sort(entries);
    }
    return entries.toString();
  }

  private String collection(Collection<?> collection) {
    boolean unordered =
        collection instanceof Set
            && !(collection instanceof SortedSet
                || collection instanceof EnumSet
                || collection instanceof LinkedHashSet);
    List<String> items = new ArrayList<>();
    for (Object item : collection) {
      items.add(show(item));
    }
    if (unordered) {
      Collections.sort(items);
    }
    return items.toString();
  }

  private String array(Object array) {
    int length = Array.getLength(array);
    List<String> items = new ArrayList<>();
    for (int index = 0; index < Math.min(length, 10); index++) {
      items.add(show(Array.get(array, index)));
    }
    return array.getClass().getSimpleName() + length + items;
  }

  private String failure(Throwable failure) {
    List<String> suppressed = new ArrayList<>();
    for (Throwable one : failure.getSuppressed()) {
      suppressed.add(show(one));
    }
    return name(failure) + '(' + failure.getMessage() + ", cause " + show(failure.getCause())
        + ", suppressed " + suppressed + ", frames " + (failure.getStackTrace().length > 0) + ')';
  }

  private String bean(Object value) {
    if (!value.getClass().getName().startsWith("program.")) {
      String text = value.toString();
      return text.indexOf('@') >= 0 ? name(value) : name(value) + '(' + text + ')';
    }
    return name(value) + (value == OwnKinds.Single.ONLY ? " the only one" : "") + fields(value);
  }

  /** Fields that classes of this application declare. */
  private String fields(Object value) {
    StringBuilder text = new StringBuilder();
    for (Class<?> type = value.getClass(); type != null; type = type.getSuperclass()) {
      for (Field field : type.getDeclaredFields()) {
        if (type.getName().startsWith("program.") && !Modifier.isStatic(field.getModifiers())) {
          text.append(' ').append(field.getName()).append('=').append(show(read(field, value)));
        }
      }
    }
    return text.length() == 0 ? "" : "{" + text.substring(1) + '}';
  }

  private static Object read(Field field, Object value) {
    try {
      field.setAccessible(true);
      return field.get(value);
    } catch (IllegalAccessException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private static String name(Object value) {
    String name = value.getClass().getName();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  /** A text on one line; a long one by its length and hash. */
  static String printable(String text) {
    if (text.length() > 300) {
      return text.length() + " characters, hash " + text.hashCode();
    }
    StringBuilder printable = new StringBuilder();
    for (char letter : text.toCharArray()) {
      if (letter < ' ' || letter > '~') {
        printable.append(String.format("<%04x>", (int) letter));
      } else {
        printable.append(letter);
      }
    }
    return printable.toString();
  }
}
