package remora.tomcat.codec;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.URL;
import java.net.URLClassLoader;
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
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What goes in comes out, as what it was. */
class AttributeCodecTest {

  private final AttributeCodec codec = codec(null);

  static AttributeCodec codec(String allowed) {
    return new AttributeCodec(
        AttributeCodecTest.class.getClassLoader(),
        new ClassFilter(allowed == null ? null : java.util.regex.Pattern.compile(allowed)),
        () -> 1 << 20);
  }

  static Collection<Object> typedValues() {
    LocalDateTime local = LocalDateTime.of(2026, 11, 24, 4, 30, 1, 999_999_999);
    ZoneId berlin = ZoneId.of("Europe/Berlin");
    LocalDateTime twice = LocalDateTime.of(2026, 10, 25, 2, 30);
    return new ArrayList<>(
        Arrays.asList(
            "",
            "a cart with ümläuts and \uD83D\uDED2",
            "unpaired \uD83D surrogate",
            true,
            false,
            (byte) -1,
            Short.MIN_VALUE,
            '\uffff',
            Integer.MIN_VALUE,
            Long.MAX_VALUE,
            Float.NaN,
            -0.0d,
            BigInteger.ONE.shiftLeft(200).negate(),
            new BigDecimal("-12.3400"),
            UUID.fromString("00112233-4455-6677-8899-aabbccddeeff"),
            new Date(-1),
            Instant.MIN,
            LocalDate.MAX,
            LocalTime.MAX,
            local,
            OffsetDateTime.of(local, ZoneOffset.ofHoursMinutes(-3, -30)),
            ZonedDateTime.of(twice, berlin).withLaterOffsetAtOverlap(),
            ZonedDateTime.of(twice, berlin).withEarlierOffsetAtOverlap(),
            Duration.ofNanos(-1),
            Period.of(-1, 2, -3),
            Locale.forLanguageTag("de-AT-u-nu-latn"),
            Locale.ROOT,
            TimeUnit.DAYS,
            new ArrayList<>(Arrays.asList("a", 1, null, new ArrayList<>())),
            new LinkedList<>(Arrays.asList(1L, 2L)),
            new HashSet<>(Arrays.asList("x", "y", "z")),
            new LinkedHashSet<>(Arrays.asList("z", "y", "x")),
            new TreeSet<>(Arrays.asList(3, 1, 2)),
            new HashMap<>(Collections.singletonMap("k", 5)),
            new LinkedHashMap<>(Collections.singletonMap(null, "v")),
            new TreeMap<>(Collections.singletonMap("k", new Date(5)))));
  }

  @ParameterizedTest
  @MethodSource("typedValues")
  void commonTypesComeBackAsTheyWereWithoutJavaSerialization(Object value) {
    Encoded encoded = codec.encode(value);
    assertTrue(encoded.type() < Tag.JAVA, "Java serialization for " + value.getClass());
    Object decoded = codec.decode(encoded.type(), encoded.bytes());
    assertEquals(value, decoded);
    assertSame(value.getClass(), decoded.getClass());
  }

  @Test
  void arraysComeBackAsTheyWere() {
    byte[] bytes = {1, 2, 3};
    String[] strings = {"a", null, "b"};
    Encoded first = codec.encode(bytes);
    Encoded second = codec.encode(strings);
    assertArrayEquals(bytes, (byte[]) codec.decode(first.type(), first.bytes()));
    assertArrayEquals(strings, (String[]) codec.decode(second.type(), second.bytes()));
  }

  @Test
  void otherClassesComeBackThroughJavaSerialization() {
    Object pojo = new Item("tea", 3);
    List<Object> mixed = new ArrayList<>(Arrays.asList("a", pojo));
    Map<String, Integer> reversed = new TreeMap<>(Comparator.reverseOrder());
    reversed.put("k", 1);
    for (Object value : Arrays.asList(pojo, mixed, reversed, new int[0].getClass(), new Error())) {
      assertEquals(Tag.JAVA, codec.encode(value).type());
    }
    Encoded encoded = codec.encode(mixed);
    assertEquals(mixed, codec.decode(encoded.type(), encoded.bytes()));
  }

  @Test
  void sharedAndCyclicObjectsKeepTheirIdentity() {
    List<Object> shared = new ArrayList<>();
    List<Object> outer = new ArrayList<>(Arrays.asList(shared, shared));
    Encoded encoded = codec.encode(outer);
    List<?> decoded = (List<?>) codec.decode(encoded.type(), encoded.bytes());
    assertSame(decoded.get(0), decoded.get(1));

    List<Object> cycle = new ArrayList<>();
    cycle.add(cycle);
    Encoded endless = codec.encode(cycle);
    List<?> back = (List<?>) codec.decode(endless.type(), endless.bytes());
    assertSame(back, back.get(0));
  }

  @Test
  void equalHashMapsGiveEqualBytesWhateverTheirHistory() {
    Map<Object, Object> grown = new HashMap<>(2);
    Map<Object, Object> shrunk = new HashMap<>(4096);
    for (int i = 0; i < 100; i++) {
      grown.put("key" + i, i);
      shrunk.put("key" + (99 - i), 99 - i);
    }
    shrunk.put(new HashSet<>(Arrays.asList(1, 2)), 1);
    grown.put(new HashSet<>(Arrays.asList(2, 1)), 1);
    assertArrayEquals(codec.encode(grown).bytes(), codec.encode(shrunk).bytes());
    Encoded encoded = codec.encode(grown);
    Object copy = codec.decode(encoded.type(), encoded.bytes());
    assertArrayEquals(encoded.bytes(), codec.encode(copy).bytes());
  }

  @Test
  void whatCannotBeSerializedIsNamed() {
    Object holder = new ArrayList<>(Collections.singletonList(new Object()));
    UnstorableException refused =
        assertThrows(UnstorableException.class, () -> codec.encode(holder));
    assertEquals(Unstorable.NOT_SERIALIZABLE, refused.kind());
    assertEquals("java.lang.Object", refused.className());
    assertTrue(refused.getMessage().contains("class java.lang.Object is not Serializable"));
  }

  @Test
  void tooLargeValuesAreRefusedOnEitherWay() {
    AttributeCodec small = new AttributeCodec(null, new ClassFilter(null), () -> 1000);
    for (Object large : Arrays.asList(new byte[1000], new long[200])) {
      UnstorableException refused =
          assertThrows(UnstorableException.class, () -> small.encode(large));
      assertEquals(Unstorable.TOO_LARGE, refused.kind());
      assertTrue(refused.getMessage().contains("1000 bytes"), refused.getMessage());
    }
    assertEquals(1000 - 2, small.encode(new byte[998 - 2]).bytes().length);
  }

  @Test
  void deepNestingIsLeftToJavaSerializationAndComesBack() {
    Object nested = "core";
    for (int i = 0; i < TypedWriter.DEPTH_MAX + 5; i++) {
      nested = new ArrayList<>(Collections.singletonList(nested));
    }
    Encoded encoded = codec.encode(nested);
    assertEquals(Tag.JAVA, encoded.type());
    assertEquals(nested, codec.decode(encoded.type(), encoded.bytes()));
  }

  @Test
  void unknownTypesAndMissingClassesKeepTheirBytes() {
    byte[] bytes = {1, 2, 3};
    Undecodable newer = assertInstanceOf(Undecodable.class, codec.decode(77, bytes));
    assertSame(bytes, newer.bytes());
    assertEquals(77, newer.type());

    Encoded item = codec.encode(new Item("tea", 1));
    ClassLoader without =
        new URLClassLoader(new URL[0], ClassLoader.getSystemClassLoader().getParent());
    AttributeCodec elsewhere = new AttributeCodec(without, new ClassFilter(null), () -> 1000);
    Undecodable missing =
        assertInstanceOf(Undecodable.class, elsewhere.decode(item.type(), item.bytes()));
    assertSame(item.bytes(), missing.bytes());
    String sentence = missing.cause().getMessage();
    assertTrue(sentence.contains("has no class " + Item.class.getName()), sentence);
  }

  @Test
  void onlyImmutableTypesNeedNoComparing() {
    for (Object value : typedValues()) {
      boolean mutable =
          value instanceof Collection || value instanceof Map || value instanceof Date;
      assertEquals(!mutable, AttributeCodec.isImmutable(value), value.getClass().getName());
    }
    assertFalse(AttributeCodec.isImmutable(new byte[0]));
    assertFalse(AttributeCodec.isImmutable(new Item("tea", 1)));
  }

  /** A class of the application. */
  static final class Item implements Serializable {
    private static final long serialVersionUID = 1L;

    /** What. */
    private final String name;

    /** How many. */
    private final int count;

    Item(String name, int count) {
      this.name = name;
      this.count = count;
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Item
          && name.equals(((Item) other).name)
          && count == ((Item) other).count;
    }

    @Override
    public int hashCode() {
      return name.hashCode();
    }
  }
}
