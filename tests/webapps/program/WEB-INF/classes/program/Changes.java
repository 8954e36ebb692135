package program;

import java.lang.reflect.Array;
import java.util.BitSet;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Changes a value in place, in the way that its type allows. */
final class Changes {

  private Changes() {}

  @SuppressWarnings("unchecked")
  static void change(Object value, String word) {
    if (value instanceof Map) {
      ((Map<Object, Object>) value).put(word, "added");
    } else if (value instanceof Collection) {
      ((Collection<Object>) value).add(word);
    } else if (value instanceof StringBuilder) {
      ((StringBuilder) value).append(word);
    } else if (value instanceof StringBuffer) {
      ((StringBuffer) value).append(word);
    } else if (value instanceof Date) {
      ((Date) value).setTime(((Date) value).getTime() + 60_000);
    } else if (value instanceof Calendar) {
      ((Calendar) value).add(Calendar.DAY_OF_MONTH, 1);
    } else if (value instanceof BitSet) {
      ((BitSet) value).flip(9);
    } else if (!counted(value)) {
      own(value, word);
    }
  }

  private static boolean counted(Object value) {
    if (value instanceof AtomicInteger) {
      ((AtomicInteger) value).incrementAndGet();
    } else if (value instanceof AtomicLong) {
      ((AtomicLong) value).incrementAndGet();
    } else if (value instanceof AtomicBoolean) {
      ((AtomicBoolean) value).set(!((AtomicBoolean) value).get());
    } else {
      return false;
    }
    return true;
  }

  private static void own(Object value, String word) {
    if (value instanceof Point) {
      ((Point) value).x++;
    } else if (value instanceof OwnKinds.Pair) {
      ((OwnKinds.Pair) value).point().y++;
    } else if (value instanceof OwnKinds.External) {
      ((OwnKinds.External) value).text += word;
    } else if (value instanceof OwnKinds.Child) {
      ((OwnKinds.Child) value).inherited = word;
    } else if (value instanceof OwnKinds.Plain) {
      ((OwnKinds.Plain) value).text += word;
    } else if (value instanceof OwnKinds.Holder) {
      ((OwnKinds.Holder) value).plain().text += word;
    } else if (value.getClass().isArray() && Array.getLength(value) > 0) {
      int last = Array.getLength(value) - 1;
      Array.set(value, last, Array.get(value, 0));
    } else {
      throw new Misspelled("cannot change a " + value.getClass());
    }
  }

  /** The part of a value that a path leads to: keys of maps and indices of lists, parted by dots. */
  static Object part(Object whole, String path) {
    Object part = whole;
    for (String step : path.split("\\.")) {
      if (part instanceof Map) {
        part = ((Map<?, ?>) part).get(step);
      } else {
        part = ((java.util.List<?>) part).get(Integer.parseInt(step));
      }
    }
    return part;
  }
}
