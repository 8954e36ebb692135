package remora.tomcat.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every value that encodes decodes equal, and under the same rule. */
class ValuesComeBackTest {

  private final AttributeCodec codec = AttributeCodecTest.codec(null);

  /** The corpus, and more values inside each other than anybody would write down. */
  static List<Object> values() {
    List<Object> values = new ArrayList<>(ValueCorpus.all());
    Random random = new Random(20261125);
    for (int i = 0; i < 300; i++) {
      values.add(nested(random, 3));
    }
    return values;
  }

  private static Object nested(Random random, int depth) {
    int kind = depth == 0 ? 0 : random.nextInt(7);
    if (kind < 2) {
      List<Object> corpus = ValueCorpus.all();
      return corpus.get(random.nextInt(corpus.size()));
    }
    List<Object> list = kind == 2 ? new LinkedList<>() : new ArrayList<>();
    Map<Object, Object> map = new HashMap<>();
    Map<Object, Object> ordered =
        kind == 4 ? new LinkedHashMap<>(4, 1, random.nextBoolean()) : new TreeMap<>();
    for (int size = random.nextInt(5); size > 0; size--) {
      Object element = nested(random, depth - 1);
      list.add(element);
      map.put("key" + random.nextInt(1000), element);
      ordered.put("key" + random.nextInt(1000), element);
    }
    switch (kind) {
      case 2:
      case 3:
        return list;
      case 6:
        return list.toArray();
      default:
        return kind == 5 ? map : ordered;
    }
  }

  private Object again(AttributeCodec by, Object value) {
    Encoded encoded = by.encode(value);
    Object decoded = by.decode(encoded.type(), encoded.bytes());
    if (decoded instanceof Undecodable) {
      throw ((Undecodable) decoded).cause();
    }
    return decoded;
  }

  @Test
  void every_value_that_encodes_decodes_equal_and_so_again() {
    for (Object value : values()) {
      Encoded encoded = codec.encode(value);
      Object decoded = again(codec, value);
      Sameness.check(value, decoded);
      Sameness.check(value, again(codec, decoded));
      if (AttributeCodec.isCanonical(encoded.type())) {
        assertArrayEquals(encoded.bytes(), codec.encode(decoded).bytes(), value.toString());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "com\\.acme\\..*",
        "java\\.lang\\..*",
        "java\\.(util|lang)\\..*",
        "java\\.util\\.[A-K].*|java\\.lang\\.[A-N].*",
        "java\\.util\\.[L-Z].*|java\\.lang\\.[O-Z].*|\\[.*",
        "java\\..*|sun\\..*",
        "java\\..*|remora\\..*",
        "java.*(?<!Map|Proxy|Number)",
        "java.*(?<!Runnable)|remora\\..*",
        "javax?\\..*|remora\\..*|jdk\\..*",
      })
  void an_allow_list_refuses_when_it_writes_exactly_what_it_would_when_it_reads(String allowed) {
    AttributeCodec strict = AttributeCodecTest.codec(allowed);
    int refused = 0;
    for (Object value : values()) {
      Encoded encoded = codec.encode(value);
      Object read = strict.decode(encoded.type(), encoded.bytes());
      if (read instanceof Undecodable) {
        String sentence = ((Undecodable) read).cause().getMessage();
        UnstorableException unwritten =
            assertThrows(UnstorableException.class, () -> strict.encode(value), sentence);
        assertEquals(Unstorable.FILTERED, unwritten.kind());
        assertTrue(unwritten.getMessage().contains("allow list"), unwritten.getMessage());
        refused++;
      } else {
        Sameness.check(value, again(strict, value));
      }
    }
    assertTrue(refused > 0, "a list that refuses nothing shows nothing");
  }

  static List<Map<Object, Object>> orderedMaps() {
    List<Map<Object, Object>> maps = new ArrayList<>();
    for (boolean byAccess : new boolean[] {true, false}) {
      for (int size = 0; size < 8; size++) {
        Map<Object, Object> map = new LinkedHashMap<>(16, 0.75f, byAccess);
        for (int i = 0; i < size / 2; i++) {
          map.put(i, size % 2 == 0 ? i : new Object[] {i});
        }
        maps.add(map);
        maps.add(new LinkedHashMap<>(Collections.singletonMap("within", map)));
      }
    }
    return maps;
  }

  @ParameterizedTest
  @MethodSource("orderedMaps")
  void a_linked_hash_map_keeps_its_mode_and_saving_it_is_no_access(Map<Object, Object> map) {
    List<Object> before = new ArrayList<>(map.keySet());
    Map<?, ?> back = (Map<?, ?>) again(codec, map);
    assertEquals(before, new ArrayList<>(map.keySet()));
    for (Object each : before) {
      assertEquals(used(map, each), used(back, each));
    }
    if (map.containsKey("within")) {
      assertEquals(mode(map.get("within")), mode(back.get("within")));
    }
    assertEquals(mode(map), mode(back));
  }

  private static List<Object> used(Map<?, ?> map, Object key) {
    map.get(key);
    return new ArrayList<>(map.keySet());
  }

  @SuppressWarnings("unchecked")
  private static boolean mode(Object map) {
    Map<Object, Object> probed = (Map<Object, Object>) map;
    probed.put("one", 1);
    probed.put("two", 2);
    List<Object> used = used(probed, "one");
    return used.indexOf("one") > used.indexOf("two");
  }

  @Test
  @SuppressWarnings("unchecked")
  void collections_that_forbid_changes_forbid_them_still() {
    for (Object value :
        Arrays.asList(
            Collections.unmodifiableList(new ArrayList<>(Arrays.asList("a"))),
            Arrays.asList("a"),
            Collections.emptyList(),
            Collections.checkedList(new ArrayList<>(), (Class<Object>) (Class<?>) Integer.class))) {
      List<Object> back = (List<Object>) again(codec, value);
      assertThrows(RuntimeException.class, () -> back.add("b"), value.getClass().getName());
    }
  }

  @Test
  @EnabledForJreRange(min = JRE.JAVA_9)
  void immutable_collections_of_newer_jdks_come_back() throws ReflectiveOperationException {
    Object[] elements = {"a", 2, new AttributeCodecTest.Item("tea", 1)};
    for (Class<?> type : Arrays.asList(List.class, java.util.Set.class)) {
      Object value = type.getMethod("of", Object[].class).invoke(null, (Object) elements);
      Object back = again(codec, value);
      assertEquals(value, back);
      assertThrows(
          UnsupportedOperationException.class, () -> ((java.util.Collection<?>) back).clear());
    }
  }

  @Test
  @EnabledForJreRange(min = JRE.JAVA_16)
  void records_come_back(@TempDir Path folder) throws Exception {
    String source =
        "public record Line(String what, java.util.List<Object> more) implements"
            + " java.io.Serializable { public Line { java.util.Objects.requireNonNull(what); } }";
    Path file = folder.resolve("Line.java");
    Files.write(file, source.getBytes(UTF_8));
    assertEquals(
        0, ToolProvider.getSystemJavaCompiler().run(null, null, null, file.toString()), "javac");
    try (URLClassLoader loader =
        new URLClassLoader(new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
      Object inner = line(loader, "inner", new ArrayList<>());
      Object value = line(loader, "outer", new ArrayList<>(Arrays.asList(inner, 5)));
      AttributeCodec application = new AttributeCodec(loader, new ClassFilter(null), () -> 1 << 20);
      Object back = again(application, value);
      assertEquals(value, back);
      assertNotSame(value, back);
      assertEquals(
          Unstorable.FILTERED,
          assertThrows(UnstorableException.class, () -> codec.encode(value)).kind());
    }
  }

  private static Object line(ClassLoader loader, String what, List<Object> more)
      throws ReflectiveOperationException {
    try {
      Class<?> type = Class.forName("Line", true, loader);
      return type.getConstructor(String.class, List.class).newInstance(what, more);
    } catch (InvocationTargetException failed) {
      throw new AssertionError(failed.getCause());
    }
  }
}
