package remora.tomcat.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.function.Supplier;

/**
 * Whether a value that came back is the one that went, as far as an application can tell: class,
 * contents, the order that the class promises, and what has no {@code equals} by what it shows.
 */
final class Sameness {

  private final Map<Object, Object> met = new IdentityHashMap<>();

  private Sameness() {}

  /** Fails if two values differ. */
  static void check(Object went, Object came) {
    new Sameness().compare(went, came, went == null ? "null" : went.getClass().getName());
  }

  private void compare(Object went, Object came, String path) {
    if (went == null || came == null) {
      assertSame(went, came, path);
      return;
    }
    if (met.put(went, came) != null) {
      assertSame(met.get(went), came, path + ": an object met twice is one object");
      return;
    }
    if (went instanceof Supplier) {
      // A lambda's class has no name of its own.
      compare(((Supplier<?>) went).get(), ((Supplier<?>) came).get(), path + ".get()");
      return;
    }
    assertSame(went.getClass(), came.getClass(), path);
    if (went.getClass().isArray()) {
      compareAll(elements(went), elements(came), path);
    } else if (went instanceof Throwable) {
      compareThrowables((Throwable) went, (Throwable) came, path);
    } else if (went instanceof Map) {
      compareMaps((Map<?, ?>) went, (Map<?, ?>) came, path);
    } else if (went instanceof Set && !isOrdered(went)) {
      assertEquals(went, came, path);
    } else if (went instanceof Collection) {
      compareAll((Collection<?>) went, (Collection<?>) came, path);
    } else if (definesEquals(went)) {
      assertEquals(went, came, path);
    } else {
      assertEquals(shown(went), shown(came), path);
    }
  }

  private static boolean isOrdered(Object collection) {
    return collection instanceof java.util.LinkedHashSet || collection instanceof SortedSet;
  }

  private static List<Object> elements(Object array) {
    List<Object> elements = new ArrayList<>();
    for (int i = 0; i < Array.getLength(array); i++) {
      elements.add(Array.get(array, i));
    }
    return elements;
  }

  private void compareAll(Collection<?> went, Collection<?> came, String path) {
    assertEquals(went.size(), came.size(), path + ": size");
    java.util.Iterator<?> others = came.iterator();
    int at = 0;
    for (Object each : went) {
      compare(each, others.next(), path + "[" + at++ + "]");
    }
  }

  private void compareMaps(Map<?, ?> went, Map<?, ?> came, String path) {
    assertEquals(went.size(), came.size(), path + ": size");
    if (went instanceof LinkedHashMap || went instanceof SortedMap) {
      compareAll(went.keySet(), came.keySet(), path + ".keys");
      compareAll(went.values(), came.values(), path + ".values");
      return;
    }
    if (went instanceof IdentityHashMap) {
      return; // its keys are others now, by its own meaning
    }
    for (Map.Entry<?, ?> entry : went.entrySet()) {
      assertTrue(came.containsKey(entry.getKey()), path + ": has " + entry.getKey());
      compare(entry.getValue(), came.get(entry.getKey()), path + "." + entry.getKey());
    }
  }

  private void compareThrowables(Throwable went, Throwable came, String path) {
    assertEquals(went.toString(), came.toString(), path);
    assertEquals(
        java.util.Arrays.asList(went.getStackTrace()),
        java.util.Arrays.asList(came.getStackTrace()),
        path + ": frames");
    compare(went.getCause(), came.getCause(), path + ": cause");
    compare(went.getSuppressed(), came.getSuppressed(), path + ": suppressed");
  }

  private static boolean definesEquals(Object value) {
    try {
      Class<?> definer = value.getClass().getMethod("equals", Object.class).getDeclaringClass();
      return definer != Object.class;
    } catch (NoSuchMethodException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** What it prints; an object that prints only where it lies is known by its class. */
  private static String shown(Object value) {
    String printed = value.toString();
    return printed.startsWith(value.getClass().getName() + "@")
        ? value.getClass().getName()
        : printed;
  }
}
