package program;

import java.time.DayOfWeek;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Stack;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.Vector;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.function.Function;

/** Collections of the JDK, filled with the words of the argument, which commas part. */
final class CollectionKinds {

  private CollectionKinds() {}

  static void add(Map<String, Function<String, Object>> kinds) {
    growing(kinds);
    maps(kinds);
    views(kinds);
    knots(kinds);
  }

  private static List<String> words(String text) {
    return text.isEmpty() ? Collections.emptyList() : Arrays.asList(text.split(","));
  }

  private static <C extends Collection<String>> C filled(C collection, String text) {
    collection.addAll(words(text));
    return collection;
  }

  private static <M extends Map<String, Object>> M filled(M map, String text) {
    for (String word : words(text)) {
      map.put(word, word.length());
    }
    return map;
  }

  private static void growing(Map<String, Function<String, Object>> kinds) {
    kinds.put("list", text -> filled(new ArrayList<>(), text));
    kinds.put("linked-list", text -> filled(new LinkedList<>(), text));
    kinds.put("vector", text -> filled(new Vector<>(), text));
    kinds.put("stack", text -> filled(new Stack<>(), text));
    kinds.put("deque", text -> filled(new ArrayDeque<>(), text));
    kinds.put("queue", text -> filled(new PriorityQueue<>(3, Collections.reverseOrder()), text));
    kinds.put("blocking-queue", text -> filled(new LinkedBlockingQueue<>(9), text));
    kinds.put("concurrent-queue", text -> filled(new ConcurrentLinkedQueue<>(), text));
    kinds.put("copy-on-write", text -> filled(new CopyOnWriteArrayList<>(), text));
    kinds.put("set", text -> filled(new HashSet<>(), text));
    kinds.put("linked-set", text -> filled(new LinkedHashSet<>(), text));
    kinds.put("tree-set", text -> filled(new TreeSet<>(), text));
    kinds.put("reverse-set", text -> filled(new TreeSet<>(Collections.reverseOrder()), text));
    kinds.put("map-set", text -> filled(Collections.newSetFromMap(new ConcurrentHashMap<>()), text));
    kinds.put("enum-set", text -> EnumSet.of(DayOfWeek.FRIDAY, DayOfWeek.MONDAY));
    kinds.put("no-enums", text -> EnumSet.noneOf(DayOfWeek.class));
  }

  private static void maps(Map<String, Function<String, Object>> kinds) {
    kinds.put("map", text -> filled(new HashMap<>(), text));
    kinds.put("linked-map", text -> filled(new LinkedHashMap<>(), text));
    kinds.put("access-map", text -> filled(new LinkedHashMap<>(16, 0.75f, true), text));
    kinds.put("tree-map", text -> filled(new TreeMap<>(), text));
    kinds.put("caseless-map", text -> filled(new TreeMap<>(String.CASE_INSENSITIVE_ORDER), text));
    kinds.put("hashtable", text -> filled(new Hashtable<>(), text));
    kinds.put("concurrent-map", text -> filled(new ConcurrentHashMap<>(), text));
    kinds.put("skip-list", text -> filled(new ConcurrentSkipListMap<>(), text));
    kinds.put("identity-map", text -> filled(new IdentityHashMap<>(), text));
    kinds.put("weak-map", text -> filled(new WeakHashMap<>(), text));
    kinds.put("enum-map", text -> days());
    kinds.put("null-map", text -> nulls());
  }

  private static Object days() {
    EnumMap<DayOfWeek, Object> days = new EnumMap<>(DayOfWeek.class);
    days.put(DayOfWeek.SUNDAY, "rest");
    days.put(DayOfWeek.MONDAY, null);
    return days;
  }

  private static Object nulls() {
    Map<String, Object> nulls = new HashMap<>();
    nulls.put(null, "key");
    nulls.put("value", null);
    return nulls;
  }

  private static void views(Map<String, Function<String, Object>> kinds) {
    kinds.put("as-list", text -> words(text + ",z"));
    kinds.put("empty-list", text -> Collections.emptyList());
    kinds.put("empty-map", text -> Collections.emptyMap());
    kinds.put("singleton", Collections::singletonList);
    kinds.put("copies", text -> Collections.nCopies(3, text));
    kinds.put("list-of", text -> List.of(text, "b", "c"));
    kinds.put("map-of", text -> Map.of(text, 1));
    kinds.put("unmodifiable", text -> Collections.unmodifiableList(filled(new ArrayList<>(), text)));
    kinds.put("synchronized", text -> Collections.synchronizedMap(filled(new LinkedHashMap<>(), text)));
    kinds.put("checked", text -> Collections.checkedList(filled(new ArrayList<>(), text), String.class));
    kinds.put("sub-list", text -> filled(new ArrayList<>(), text).subList(0, 1));
    kinds.put("keys", text -> filled(new HashMap<>(), text).keySet());
    kinds.put("values", text -> filled(new TreeMap<>(), text).values());
    kinds.put("enumeration", text -> Collections.enumeration(words(text)));
  }

  private static void knots(Map<String, Function<String, Object>> kinds) {
    kinds.put("own-tail", text -> ownTail());
    kinds.put("own-value", text -> ownValue());
    kinds.put("twice", text -> twice(text));
    kinds.put("nested", text -> nested(text));
    kinds.put("entries", count -> entries(Integer.parseInt(count)));
  }

  private static Object ownTail() {
    List<Object> list = new ArrayList<>();
    list.add("head");
    list.add(list);
    return list;
  }

  private static Object ownValue() {
    Map<String, Object> map = new HashMap<>();
    map.put("self", map);
    return map;
  }

  private static Object twice(String text) {
    Object shared = filled(new ArrayList<>(), text);
    return new ArrayList<>(Arrays.asList(shared, shared));
  }

  private static Object nested(String text) {
    Map<String, Object> outer = new LinkedHashMap<>();
    outer.put("points", new ArrayList<>(Arrays.asList(new Point(1, 2), new Point(3, 4))));
    outer.put("words", filled(new ArrayList<>(), text));
    return outer;
  }

  private static Object entries(int count) {
    Map<String, Object> map = new TreeMap<>();
    for (int number = 0; number < count; number++) {
      map.put("key" + number, number);
    }
    return map;
  }
}
