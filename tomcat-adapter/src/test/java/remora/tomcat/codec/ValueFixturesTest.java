package remora.tomcat.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
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
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The bytes of attribute values are what FORMAT.md says: every file under formats/values is read as
 * this value, and this value is written as the bytes of the file.
 *
 * <p>A file is named after its tag. {@code UPDATE_GOLDENFILES=1} in the environment writes the
 * files anew, to be read before they are committed; from the first tag of a release on, only new
 * ones.
 */
class ValueFixturesTest {

  /** Where the fixtures of values are, seen from this module. */
  private static final Path FIXTURES = Paths.get("..", "formats", "values");

  private static final boolean WRITES = "1".equals(System.getenv("UPDATE_GOLDENFILES"));

  private final AttributeCodec codec = AttributeCodecTest.codec(null);

  /** The values by the names of their files. */
  private static Map<String, Object> values() {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("001-string", "a cart with \u00fcml\u00e4uts and \uD83D\uDED2");
    values.put("001-string-empty", "");
    values.put("001-string-of-300-bytes", String.join("", Collections.nCopies(100, "abc")));
    values.put("002-string-utf16", "unpaired \uD83D surrogate");
    values.put("003-boolean-false", false);
    values.put("003-boolean-true", true);
    values.put("004-byte", (byte) -2);
    values.put("005-short", (short) -300);
    values.put("006-character", '\u20ac');
    values.put("007-integer", -70_000);
    values.put("008-long", -5_000_000_000L);
    values.put("009-float", -1.5f);
    values.put("010-double", Math.PI);
    values.put("011-big-integer", BigInteger.ONE.shiftLeft(72).negate());
    values.put("012-big-decimal", new BigDecimal("-12.3400"));
    values.put("013-uuid", UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"));
    values.put("014-date", new Date(-1));
    addTimes(values);
    values.put("023-locale", Locale.forLanguageTag("de-AT-u-nu-latn"));
    values.put("024-bytes", new byte[] {0, 1, -1});
    values.put("025-enum", TimeUnit.DAYS);
    addContainers(values);
    addSerialized(values);
    return values;
  }

  private static void addTimes(Map<String, Object> values) {
    LocalDateTime local = LocalDateTime.of(2026, 11, 24, 4, 30, 1, 999_999_999);
    LocalDateTime twice = LocalDateTime.of(2026, 10, 25, 2, 30);
    ZonedDateTime zoned = ZonedDateTime.of(twice, ZoneId.of("Europe/Berlin"));
    values.put("015-instant", Instant.ofEpochSecond(-1, 5));
    values.put("016-local-date", LocalDate.of(1969, 12, 30));
    values.put("017-local-time", LocalTime.of(23, 59, 59, 999_999_999));
    values.put("018-local-date-time", local);
    values.put("019-offset-date-time", OffsetDateTime.of(local, ZoneOffset.ofHours(-3)));
    values.put("020-zoned-date-time-earlier", zoned.withEarlierOffsetAtOverlap());
    values.put("020-zoned-date-time-later", zoned.withLaterOffsetAtOverlap());
    values.put("021-duration", Duration.ofNanos(-1));
    values.put("022-period", Period.of(-1, 2, -3));
  }

  private static void addContainers(Map<String, Object> values) {
    Map<String, Object> product = new HashMap<>();
    product.put("name", "shark");
    product.put("price", new BigDecimal("9.90"));
    product.put("\u00e4nderung", null);
    Map<Object, Object> ordered = new LinkedHashMap<>();
    ordered.put("z", 1);
    ordered.put(null, new ArrayList<>(Arrays.asList(true, null)));
    List<Object> deep = new ArrayList<>();
    for (int level = 1; level < TypedWriter.DEPTH_MAX; level++) {
      deep = new ArrayList<>(Collections.singletonList(deep));
    }
    values.put("026-strings", new String[] {"a", null, "b"});
    values.put("027-array-list", new ArrayList<>(Arrays.asList("a", 1, null)));
    values.put("027-array-list-32-deep", deep);
    values.put("028-linked-list", new LinkedList<>(Arrays.asList(1L, 2L)));
    values.put("029-hash-set", new HashSet<>(Arrays.asList("z", "\u00e9", "a", "bb", 7)));
    values.put("030-linked-hash-set", new LinkedHashSet<>(Arrays.asList("z", "y", "x")));
    values.put("031-tree-set", new TreeSet<>(Arrays.asList(3, 1, 2)));
    values.put("032-hash-map", product);
    values.put("033-linked-hash-map", ordered);
    values.put("034-tree-map", new TreeMap<>(Collections.singletonMap("k", new Date(5))));
    values.put(
        "033-cart",
        new LinkedHashMap<>(
            Collections.singletonMap("items", new ArrayList<>(Arrays.asList(product, 2)))));
  }

  private static void addSerialized(Map<String, Object> values) {
    Map<Object, Object> byAccess = new LinkedHashMap<>(4, 0.75f, true);
    byAccess.put("first", 1);
    byAccess.put("second", 2);
    byAccess.get("first");
    values.put("100-linked-hash-map-by-access", byAccess);
    values.put("100-class", new AttributeCodecTest.Item("tea", 3));
    values.put("100-ints", new int[] {1, -2});
    values.put(
        "100-list-of-class",
        new ArrayList<>(Arrays.asList("a", new AttributeCodecTest.Item("tea", 3))));
  }

  static Set<String> names() {
    return values().keySet();
  }

  private static int tag(String name) {
    return Integer.parseInt(name.substring(0, 3));
  }

  private static Path file(String name) {
    return FIXTURES.resolve(name + ".hex");
  }

  /** Offset, sixteen bytes in hexadecimal, the same as text: as all fixtures of formats are. */
  private static String dump(byte[] bytes) {
    StringBuilder dump = new StringBuilder();
    for (int from = 0; from < bytes.length; from += 16) {
      StringBuilder digits = new StringBuilder();
      StringBuilder words = new StringBuilder();
      for (int at = from; at < Math.min(from + 16, bytes.length); at++) {
        digits.append(String.format(" %02x", bytes[at]));
        words.append(bytes[at] >= 0x20 && bytes[at] < 0x7f ? (char) bytes[at] : '.');
      }
      dump.append(String.format("%08x %-48s  |%s|\n", from, digits, words));
    }
    return dump.toString();
  }

  private static byte[] undump(List<String> lines) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (String line : lines) {
      for (String digits : line.substring(10, 57).trim().split(" ")) {
        bytes.write(Integer.parseInt(digits, 16));
      }
    }
    return bytes.toByteArray();
  }

  @ParameterizedTest
  @MethodSource("names")
  void a_value_is_read_from_its_bytes_and_written_as_them(String name) throws IOException {
    Object value = values().get(name);
    Encoded written = codec.encode(value);
    assertEquals(tag(name), written.type());
    if (WRITES) {
      Files.createDirectories(FIXTURES);
      Files.write(file(name), dump(written.bytes()).getBytes(UTF_8));
    }
    byte[] bytes = undump(Files.readAllLines(file(name), UTF_8));
    Object read = codec.decode(tag(name), bytes);
    assertSame(value.getClass(), read.getClass());
    assertArrayEquals(new Object[] {value}, new Object[] {read});
    // What the JDK writes is the JDK's to change: such bytes are only read.
    if (AttributeCodec.isCanonical(tag(name))) {
      assertArrayEquals(bytes, written.bytes());
    }
  }

  @Test
  void every_file_is_a_fixture_here_and_every_tag_has_one_and_is_documented() throws Exception {
    Set<String> listed = names().stream().map(name -> name + ".hex").collect(Collectors.toSet());
    try (Stream<Path> files = Files.list(FIXTURES)) {
      Set<String> there =
          files.map(each -> each.getFileName().toString()).collect(Collectors.toSet());
      assertEquals(new TreeSet<>(listed), new TreeSet<>(there));
    }
    Set<Integer> shown = names().stream().map(ValueFixturesTest::tag).collect(Collectors.toSet());
    shown.add(Tag.NULL); // never a value by itself; inside 027-array-list
    for (Field tag : Tag.class.getDeclaredFields()) {
      assertTrue(shown.contains(tag.getInt(null)), tag.getName() + " has no fixture");
    }
    assertEquals(new TreeSet<>(shown), documented());
  }

  /** The tags of the table in FORMAT.md. */
  private static TreeSet<Integer> documented() throws IOException {
    String format = new String(Files.readAllBytes(Paths.get("..", "FORMAT.md")), UTF_8);
    int section = format.indexOf("\n## Attribute values\n");
    int next = format.indexOf("\n## ", section + 1);
    Matcher rows =
        Pattern.compile("(?m)^\\| (\\d+) \\|")
            .matcher(format.substring(section, next < 0 ? format.length() : next));
    TreeSet<Integer> tags = new TreeSet<>();
    while (rows.find()) {
      tags.add(Integer.valueOf(rows.group(1)));
    }
    return tags;
  }
}
