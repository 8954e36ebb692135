package program;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Paths;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.Period;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.BitSet;
import java.util.Calendar;
import java.util.Collections;
import java.util.Currency;
import java.util.Date;
import java.util.GregorianCalendar;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Random;
import java.util.TimeZone;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.regex.Pattern;

/** Single values and arrays of the JDK. */
final class PlainKinds {

  private PlainKinds() {}

  static void add(Map<String, Function<String, Object>> kinds) {
    texts(kinds);
    numbers(kinds);
    times(kinds);
    others(kinds);
    arrays(kinds);
  }

  private static void texts(Map<String, Function<String, Object>> kinds) {
    kinds.put("string", text -> text);
    kinds.put("unicode", text -> "\u00e4\u20ac\ud83d\ude00\u0000end");
    kinds.put("half-surrogate", text -> "a\ud83dz");
    kinds.put("letters", count -> String.join("", Collections.nCopies(Integer.parseInt(count), "x")));
    kinds.put("char", text -> text.charAt(0));
    kinds.put("builder", StringBuilder::new);
    kinds.put("buffer", StringBuffer::new);
  }

  private static void numbers(Map<String, Function<String, Object>> kinds) {
    kinds.put("boolean", Boolean::valueOf);
    kinds.put("byte", Byte::valueOf);
    kinds.put("short", Short::valueOf);
    kinds.put("int", Integer::valueOf);
    kinds.put("long", Long::valueOf);
    kinds.put("float", Float::valueOf);
    kinds.put("double", Double::valueOf);
    kinds.put("odd-nan", text -> Double.longBitsToDouble(0x7ff8000000000123L));
    kinds.put("big-integer", BigInteger::new);
    kinds.put("big-decimal", BigDecimal::new);
    kinds.put("atomic-int", text -> new AtomicInteger(Integer.parseInt(text)));
    kinds.put("atomic-long", text -> new AtomicLong(Long.parseLong(text)));
    kinds.put("atomic-boolean", text -> new AtomicBoolean(Boolean.parseBoolean(text)));
  }

  private static void times(Map<String, Function<String, Object>> kinds) {
    kinds.put("date", text -> new Date(Long.parseLong(text)));
    kinds.put("sql-date", text -> new java.sql.Date(Long.parseLong(text)));
    kinds.put("sql-timestamp", text -> nanos(new java.sql.Timestamp(Long.parseLong(text))));
    kinds.put("calendar", text -> calendar(Long.parseLong(text)));
    kinds.put("time-zone", TimeZone::getTimeZone);
    kinds.put("instant", text -> Instant.ofEpochSecond(Long.parseLong(text), 123_456_789));
    kinds.put("local-date", LocalDate::parse);
    kinds.put("local-date-time", LocalDateTime::parse);
    kinds.put("zoned", text -> ZonedDateTime.of(2026, 3, 29, 1, 59, 0, 0, ZoneId.of("Europe/Berlin")));
    kinds.put("zone", ZoneId::of);
    kinds.put("duration", Duration::parse);
    kinds.put("period", Period::parse);
  }

  private static Object nanos(java.sql.Timestamp timestamp) {
    timestamp.setNanos(123_456_789);
    return timestamp;
  }

  private static Calendar calendar(long millis) {
    Calendar calendar = new GregorianCalendar(TimeZone.getTimeZone("Asia/Tokyo"), Locale.GERMANY);
    calendar.setTimeInMillis(millis);
    return calendar;
  }

  private static void others(Map<String, Function<String, Object>> kinds) {
    kinds.put("uuid", UUID::fromString);
    kinds.put("locale", Locale::forLanguageTag);
    kinds.put("currency", Currency::getInstance);
    kinds.put("uri", URI::create);
    kinds.put("file", java.io.File::new);
    kinds.put("path", Paths::get);
    kinds.put("pattern", text -> Pattern.compile(text, Pattern.CASE_INSENSITIVE));
    kinds.put("class", text -> Calendar.class);
    kinds.put("primitive-class", text -> int.class);
    kinds.put("day", DayOfWeek::valueOf);
    kinds.put("time-unit", TimeUnit::valueOf);
    kinds.put("bits", text -> BitSet.valueOf(new long[] {Long.parseLong(text)}));
    kinds.put("random", text -> new Random(Long.parseLong(text)));
    kinds.put("socket-address", text -> InetSocketAddress.createUnresolved(text, 80));
    kinds.put("properties", text -> properties());
    kinds.put("optional", Optional::of);
    kinds.put("object", text -> new Object());
    kinds.put("thread", text -> new Thread(text));
  }

  private static Properties properties() {
    Properties defaults = new Properties();
    defaults.setProperty("inherited", "1");
    Properties properties = new Properties(defaults);
    properties.setProperty("own", "2");
    return properties;
  }

  private static void arrays(Map<String, Function<String, Object>> kinds) {
    kinds.put("bytes", text -> new byte[] {1, 2, -3});
    kinds.put("many-bytes", count -> new byte[Integer.parseInt(count)]);
    kinds.put("ints", text -> new int[] {1, 2, 3});
    kinds.put("longs", text -> new long[] {1, Long.MIN_VALUE});
    kinds.put("doubles", text -> new double[] {0.1, -0.0});
    kinds.put("floats", text -> new float[] {0.1f});
    kinds.put("chars", text -> "chars".toCharArray());
    kinds.put("shorts", text -> new short[] {7});
    kinds.put("booleans", text -> new boolean[] {true, false});
    kinds.put("strings", text -> new String[] {"a", null, ""});
    kinds.put("no-strings", text -> new String[0]);
    kinds.put("objects", text -> new Object[] {"a", 1, null, new Object[] {2L}});
    kinds.put("table", text -> new int[][] {{1, 2}, {}, {3}});
    kinds.put("integers", text -> new Integer[] {1, null});
    kinds.put("days", text -> new DayOfWeek[] {DayOfWeek.MONDAY});
    kinds.put("loop", text -> loop());
  }

  private static Object loop() {
    Object[] loop = new Object[1];
    loop[0] = loop;
    return loop;
  }
}
