package remora.tomcat.codec;

import java.io.File;
import java.io.IOException;
import java.io.Serializable;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.math.MathContext;
import java.math.RoundingMode;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.rmi.RemoteException;
import java.rmi.server.UID;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.text.MessageFormat;
import java.text.SimpleDateFormat;
import java.time.Clock;
import java.time.DayOfWeek;
import java.time.Instant;
import java.time.MonthDay;
import java.time.OffsetTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.chrono.HijrahDate;
import java.time.chrono.IsoChronology;
import java.time.chrono.JapaneseDate;
import java.util.AbstractMap;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.Collections;
import java.util.Currency;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.Random;
import java.util.SimpleTimeZone;
import java.util.Stack;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.Vector;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import javax.crypto.spec.SecretKeySpec;
import javax.management.ObjectName;

/** What applications on a plain JDK keep in sessions; each call makes the values anew. */
final class ValueCorpus {

  private ValueCorpus() {}

  /** All of them. */
  static List<Object> all() {
    List<Object> all = new ArrayList<>(AttributeCodecTest.typedValues());
    all.addAll(texts());
    all.addAll(times());
    all.addAll(collections());
    all.addAll(maps());
    all.addAll(wrapped());
    all.addAll(concurrent());
    all.addAll(failures());
    all.addAll(ofApplications());
    return all;
  }

  private static Collection<Object> texts() {
    try {
      return Arrays.asList(
          new StringBuilder("built"),
          new StringBuffer("buffered"),
          new char[] {'a', '\uffff'},
          new String[][] {{"a"}, null, {}},
          new Object[] {1, "a", new long[] {5}},
          Pattern.compile("a+", Pattern.CASE_INSENSITIVE),
          new DecimalFormat("#,##0.00", DecimalFormatSymbols.getInstance(Locale.GERMANY)),
          new SimpleDateFormat("yyyy-MM-dd", Locale.FRANCE),
          new MessageFormat("{0} of {1,number}", Locale.ITALY),
          new MathContext(7, RoundingMode.HALF_EVEN),
          Currency.getInstance("EUR"),
          new Locale("no", "NO", "NY"),
          new URI("http://localhost/a?b#c"),
          new URL("http://127.0.0.1/a?b#c"),
          new File("a/b"),
          InetAddress.getByAddress("here", new byte[] {127, 0, 0, 1}),
          InetSocketAddress.createUnresolved("there", 80),
          new ObjectName("Catalina:type=Manager,host=localhost"),
          new SecretKeySpec(new byte[] {1, 2, 3}, "AES"),
          new UID((short) 7),
          String.class,
          int.class,
          ValueCorpus.class,
          int[][].class,
          new BitSet(70),
          bits(3, 64, 200));
    } catch (Exception impossible) {
      throw new AssertionError(impossible);
    }
  }

  private static BitSet bits(int... set) {
    BitSet bits = new BitSet();
    for (int each : set) {
      bits.set(each);
    }
    return bits;
  }

  private static Collection<Object> times() {
    return Arrays.asList(
        new Timestamp(1_700_000_000_123L),
        new java.sql.Date(1_700_000_000_123L),
        new java.sql.Time(5),
        new GregorianCalendar(TimeZone.getTimeZone("America/New_York"), Locale.US),
        TimeZone.getTimeZone("Europe/Berlin"),
        new SimpleTimeZone(3_600_000, "ours"),
        Year.of(2026),
        YearMonth.of(2026, 11),
        MonthDay.of(2, 29),
        OffsetTime.of(1, 2, 3, 4, ZoneOffset.MIN),
        ZoneId.of("Asia/Kathmandu"),
        ZoneOffset.ofHours(5),
        DayOfWeek.FRIDAY,
        HijrahDate.of(1448, 5, 5),
        JapaneseDate.of(2026, 11, 25),
        IsoChronology.INSTANCE,
        Clock.fixed(Instant.EPOCH, ZoneOffset.UTC),
        Clock.systemUTC());
  }

  private static <T extends Collection<Object>> T filled(T collection) {
    Collections.addAll(collection, "z", "y", "x", "a", "b", "Aa", "BB");
    return collection;
  }

  private static Collection<Object> collections() {
    TreeSet<String> folded = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    Collections.addAll(folded, "Z", "a", "B");
    return Arrays.asList(
        filled(new ArrayList<>(100)),
        filled(new LinkedList<>()),
        filled(new Vector<>()),
        filled(new Stack<>()),
        filled(new ArrayDeque<>()),
        filled(new PriorityQueue<>(Collections.reverseOrder())),
        filled(new HashSet<>(2)),
        filled(new LinkedHashSet<>()),
        filled(new TreeSet<>()),
        filled(new TreeSet<>(Collections.reverseOrder())),
        folded,
        EnumSet.of(TimeUnit.DAYS, TimeUnit.HOURS),
        EnumSet.noneOf(TimeUnit.class),
        Arrays.asList("a", null, 3),
        new ArrayList<Object>(Arrays.asList(new AbstractMap.SimpleEntry<>("k", 1), 5)),
        filled(new ArrayList<>()).subList(1, 3).toArray(),
        new ArrayList<Object>() {
          private static final long serialVersionUID = 1L;

          {
            add("of a class without a name");
          }
        });
  }

  private static <T extends Map<Object, Object>> T filledMap(T map) {
    for (String key : Arrays.asList("z", "y", "x", "a", "b", "Aa", "BB")) {
      map.put(key, new ArrayList<>(Collections.singletonList(key.length())));
    }
    return map;
  }

  private static Collection<Object> maps() {
    Map<Object, Object> ordered = filledMap(new LinkedHashMap<>(16, 0.75f, true));
    ordered.get("x");
    Map<TimeUnit, Object> units = new EnumMap<>(TimeUnit.class);
    units.put(TimeUnit.DAYS, "d");
    Properties properties = new Properties(new Properties());
    properties.setProperty("k", "v");
    return Arrays.asList(
        filledMap(new HashMap<>(1024, 0.2f)),
        filledMap(new LinkedHashMap<>()),
        ordered,
        new LinkedHashMap<>(16, 0.75f, true),
        filledMap(new TreeMap<>()),
        filledMap(new TreeMap<>(Collections.reverseOrder())),
        filledMap(new Hashtable<>()),
        filledMap(new IdentityHashMap<>()),
        filledMap(new Recent()),
        units,
        properties);
  }

  private static Collection<Object> wrapped() {
    List<Object> list = filled(new LinkedList<>());
    return new ArrayList<>(
        Arrays.asList(
            Collections.emptyList(),
            Collections.emptyMap(),
            Collections.singletonList("a"),
            Collections.singleton(1),
            Collections.singletonMap("a", null),
            Collections.nCopies(5, "n"),
            Collections.unmodifiableList(list),
            Collections.unmodifiableMap(filledMap(new LinkedHashMap<>())),
            Collections.unmodifiableSortedSet(filled(new TreeSet<>())),
            Collections.synchronizedList(list),
            Collections.synchronizedMap(filledMap(new HashMap<>())),
            Collections.checkedList(new ArrayList<>(Arrays.asList("a")), String.class),
            filled(Collections.newSetFromMap(new HashMap<>())),
            Collections.reverseOrder(String.CASE_INSENSITIVE_ORDER).getClass()));
  }

  private static Collection<Object> concurrent() {
    LongAdder adder = new LongAdder();
    adder.add(5);
    return Arrays.asList(
        new AtomicInteger(5),
        new AtomicLong(6),
        new AtomicBoolean(true),
        new AtomicReference<>("held"),
        new AtomicLongArray(new long[] {1, 2}),
        adder,
        filledMap(new ConcurrentHashMap<>()),
        filledMap(new ConcurrentSkipListMap<>(Collections.reverseOrder())),
        filled(new ConcurrentSkipListSet<>()),
        filled(new ConcurrentLinkedQueue<>()),
        filled(new ConcurrentLinkedDeque<>()),
        filled(new CopyOnWriteArrayList<>()),
        filled(new CopyOnWriteArraySet<>()),
        filled(new ArrayBlockingQueue<>(9)),
        filled(new LinkedBlockingQueue<>(9)),
        filled(new LinkedBlockingDeque<>(9)),
        filled(new PriorityBlockingQueue<>()),
        ConcurrentHashMap.newKeySet(),
        new Semaphore(3),
        new ReentrantLock(),
        new Random(5));
  }

  private static Collection<Object> failures() {
    RuntimeException bad = new IllegalStateException("outer", new IOException("inner"));
    bad.addSuppressed(new RemoteException("far", new Error("farther")));
    SQLException chain = new SQLException("no row", "42S02", 7);
    chain.setNextException(new SQLException("no table"));
    return Arrays.asList(
        new RuntimeException("bad credentials"),
        bad,
        chain,
        new RemoteException("far"),
        new Throwable().getStackTrace());
  }

  private static Collection<Object> ofApplications() {
    Object held = filled(new ArrayList<>());
    Supplier<Object> lambda = (Supplier<Object> & Serializable) () -> held;
    Supplier<Object> reference = (Supplier<Object> & Serializable) held::hashCode;
    Object proxy =
        Proxy.newProxyInstance(
            ValueCorpus.class.getClassLoader(),
            new Class<?>[] {Comparable.class, Runnable.class},
            new Handler("h"));
    return Arrays.asList(
        new AttributeCodecTest.Item("tea", 3), lambda, reference, proxy, Shape.ROUND, Shape.SQUARE);
  }

  /** An enum whose constants have classes of their own. */
  enum Shape {
    ROUND {
      @Override
      int corners() {
        return 0;
      }
    },
    SQUARE {
      @Override
      int corners() {
        return 4;
      }
    };

    abstract int corners();
  }

  /** Forgets the eldest, as caches of frameworks do. */
  static final class Recent extends LinkedHashMap<Object, Object> {
    private static final long serialVersionUID = 1L;

    Recent() {
      super(16, 0.75f, true);
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<Object, Object> eldest) {
      return size() > 5;
    }
  }

  /** Stands behind a proxy of an application's, equal to another of the same name. */
  static final class Handler implements InvocationHandler, Serializable {
    private static final long serialVersionUID = 1L;

    /** What it answers. */
    private final String name;

    Handler(String name) {
      this.name = name;
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
      switch (method.getName()) {
        case "equals":
          return arguments[0] != null
              && Proxy.isProxyClass(arguments[0].getClass())
              && ((Handler) Proxy.getInvocationHandler(arguments[0])).name.equals(name);
        case "hashCode":
          return name.hashCode();
        case "toString":
          return name;
        default:
          return 0;
      }
    }
  }
}
