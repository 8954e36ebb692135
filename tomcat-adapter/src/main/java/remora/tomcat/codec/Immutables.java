package remora.tomcat.codec;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.UUID;

/** Which values cannot change without being replaced. */
final class Immutables {

  private static final Set<Class<?>> CLASSES =
      new HashSet<>(
          Arrays.<Class<?>>asList(
              String.class,
              Boolean.class,
              Byte.class,
              Short.class,
              Character.class,
              Integer.class,
              Long.class,
              Float.class,
              Double.class,
              BigInteger.class,
              BigDecimal.class,
              UUID.class,
              Locale.class));

  private Immutables() {}

  /** Enums count: what is stored of them is their name. Every value class of java.time is final. */
  static boolean contains(Object value) {
    Class<?> type = value.getClass();
    return CLASSES.contains(type)
        || value instanceof Enum
        || (type.getName().startsWith("java.time.") && type.getName().lastIndexOf('.') == 9);
  }
}
