package remora.tomcat.codec;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Externalizable;
import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectOutput;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.security.Principal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.ConcurrentModificationException;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.realm.GenericPrincipal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What cannot be stored is refused when it is saved: of which kind, and because of which class. */
class UnstorableTest {

  /** Enough that a hash map's are met in no order. */
  private static final int ELEMENTS = 40;

  private final AttributeCodec codec = AttributeCodecTest.codec(null);

  private static UnstorableException refused(AttributeCodec codec, Object value) {
    return assertThrows(UnstorableException.class, () -> codec.encode(value));
  }

  private UnstorableException refused(Object value, Unstorable kind, Class<?> culprit) {
    UnstorableException refused = refused(codec, value);
    assertEquals(kind, refused.kind(), refused.getMessage());
    assertEquals(culprit.getName(), refused.className());
    assertTrue(refused.getMessage().contains(culprit.getName()), refused.getMessage());
    assertEquals(kind == Unstorable.CHANGING, refused.kind().isTransient());
    return refused;
  }

  /** A value among others. */
  static Object within(Object value) {
    return new ArrayList<>(Arrays.asList("a", new Object[] {value}));
  }

  /** Does what it is told while it is written. */
  static final class Writes implements Serializable {
    private static final long serialVersionUID = 1L;

    /** What. */
    private final transient Act act;

    Writes(Act act) {
      this.act = act;
    }

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      act.write(output);
    }
  }

  /** Something done while a value is written. */
  interface Act {
    void write(ObjectOutputStream output) throws IOException;
  }

  /** Has no constructor without parameters, and is not Serializable. */
  static class Base {
    Base(int ignored) {
      assertEquals(0, ignored);
    }
  }

  /** Can be written, and never read. */
  static final class Derived extends Base implements Serializable {
    private static final long serialVersionUID = 1L;

    Derived() {
      super(0);
    }
  }

  /** Can be written, and never read. */
  static final class Hidden implements Externalizable {
    private static final long serialVersionUID = 1L;

    Hidden() {}

    @Override
    public void writeExternal(ObjectOutput output) throws IOException {
      output.writeInt(1);
    }

    @Override
    public void readExternal(ObjectInput input) throws IOException {
      assertEquals(1, input.readInt());
    }
  }

  @Test
  void what_is_not_serializable_is_named_however_deep() {
    refused(within(new Thread()), Unstorable.NOT_SERIALIZABLE, Thread.class);
    refused(new Object(), Unstorable.NOT_SERIALIZABLE, Object.class);
  }

  @Test
  void what_could_be_written_but_never_made_again_is_refused() {
    UnstorableException refused =
        refused(within(new Derived()), Unstorable.NOT_SERIALIZABLE, Derived.class);
    assertTrue(refused.getMessage().contains(Base.class.getName()), refused.getMessage());
    refused(within(new Hidden()), Unstorable.NOT_SERIALIZABLE, Hidden.class);
  }

  @Test
  void too_large_stays_too_large_when_the_value_catches_it() {
    Object catches =
        new Writes(
            output -> {
              try {
                output.writeObject(new byte[2 << 20]);
              } catch (RuntimeException caught) {
                output.writeInt(0);
              }
            });
    refused(catches, Unstorable.TOO_LARGE, Writes.class);
    refused(new byte[2 << 20], Unstorable.TOO_LARGE, byte[].class);
  }

  @Test
  void what_the_allow_list_lacks_is_refused_with_the_sentence_of_the_reader() {
    AttributeCodec strict = AttributeCodecTest.codec("java\\..*|.*Writes");
    Object bean = within(new AttributeCodecTest.Item("tea", 1));
    Encoded unfiltered = codec.encode(bean);
    Undecodable unread =
        assertInstanceOf(Undecodable.class, strict.decode(unfiltered.type(), unfiltered.bytes()));
    UnstorableException refused = refused(strict, bean);
    assertEquals(Unstorable.FILTERED, refused.kind());
    assertEquals(AttributeCodecTest.Item.class.getName(), refused.className());
    assertEquals(unread.cause().getMessage(), refused.getMessage());

    Object catches =
        new Writes(
            output -> {
              try {
                output.writeObject(new AttributeCodecTest.Item("tea", 1));
              } catch (RuntimeException caught) {
                output.writeInt(0);
              }
            });
    assertEquals(Unstorable.FILTERED, refused(strict, catches).kind());
    assertEquals(Unstorable.FILTERED, refused(strict, UnstorableKinds.FIRST).kind());
    assertFalse(strict.encode(TimeUnit.DAYS).bytes().length == 0);
  }

  /** An enum of the application. */
  enum UnstorableKinds {
    FIRST
  }

  @Test
  void a_class_that_only_another_loader_finds_is_refused() {
    ClassLoader without = ClassLoader.getSystemClassLoader().getParent();
    AttributeCodec elsewhere = new AttributeCodec(without, new ClassFilter(null), () -> 1 << 20);
    for (Object value :
        Arrays.asList(new AttributeCodecTest.Item("tea", 1), UnstorableKinds.FIRST)) {
      UnstorableException refused = refused(elsewhere, within(value));
      assertEquals(Unstorable.FILTERED, refused.kind());
      assertEquals(value.getClass().getName(), refused.className());
    }
  }

  /** Tomcat's realms make such; this one is written by its fields. */
  static final class Member extends GenericPrincipal {
    private static final long serialVersionUID = 1L;

    Member(String password) {
      super("mary", password, Collections.singletonList("member"));
    }
  }

  @Test
  void a_password_in_a_principal_is_never_written() throws IOException {
    String password = "correct horse battery staple";
    Principal principal =
        new GenericPrincipal("mary", password, Collections.singletonList("member"));
    for (Object value : Arrays.asList(principal, new Member(password))) {
      assertTrue(new String(HostileBytesTest.plain(value), "ISO-8859-1").contains(password));
      Object catches =
          new Writes(
              output -> {
                try {
                  output.writeObject(value);
                } catch (RuntimeException caught) {
                  output.writeInt(0);
                }
              });
      for (Object each : Arrays.asList(value, within(value), catches)) {
        for (String allowed : Arrays.asList(null, ".*", ".*|.*Principal|.*Member")) {
          UnstorableException refused = refused(AttributeCodecTest.codec(allowed), each);
          assertEquals(Unstorable.FILTERED, refused.kind());
          assertTrue(refused.getMessage().contains("password"), refused.getMessage());
          assertFalse(refused.getMessage().contains(password), refused.getMessage());
        }
      }
    }
  }

  @Test
  void a_value_whose_own_code_fails_is_broken() {
    Act[] acts = {
      output -> {
        throw new IOException("as asked");
      },
      output -> {
        throw new IllegalStateException("as asked");
      },
      output -> {
        throw new NoClassDefFoundError("as asked");
      },
      output -> new ArrayList<>().get(5),
    };
    for (Act act : acts) {
      refused(new Writes(act), Unstorable.BROKEN, Writes.class);
    }
  }

  /** One of a chain that is read one call deeper for every link. */
  private static final class Link implements Serializable {
    private static final long serialVersionUID = 1L;
    private final Link next;

    private Link(Link next) {
      this.next = next;
    }

    private static int length(Link chain) {
      int length = 0;
      for (Link link = chain; link != null; link = link.next) {
        length++;
      }
      return length;
    }
  }

  @Test
  void what_is_written_with_a_threads_stack_is_read_with_it_too() {
    int length = 400;
    Encoded longest = null;
    try {
      for (Link chain = null; length < 4_000; length += 100) {
        for (int i = Link.length(chain); i < length; i++) {
          chain = new Link(chain);
        }
        longest = codec.encode(chain);
      }
    } catch (UnstorableException tooDeep) {
      length -= 100;
    }
    Object read = codec.decode(longest.type(), longest.bytes());
    assertTrue(read instanceof Link, () -> ((Undecodable) read).cause().getMessage());
    assertTrue(Link.length((Link) read) >= length - 100);
  }

  @Test
  void what_the_jvms_own_filter_would_refuse_is_not_written() {
    String before = System.getProperty("jdk.serialFilter");
    System.setProperty("jdk.serialFilter", "!" + Link.class.getName());
    try {
      UnstorableException refused = refused(new Link(null), Unstorable.FILTERED, Link.class);
      assertTrue(refused.getMessage().contains("jdk.serialFilter"), refused.getMessage());
    } finally {
      if (before == null) {
        System.clearProperty("jdk.serialFilter");
      } else {
        System.setProperty("jdk.serialFilter", before);
      }
    }
  }

  @Test
  void a_value_too_deep_for_the_stack_is_broken_and_the_thread_goes_on() {
    Object deep = "core";
    for (int level = 0; level < 1_000_000; level++) {
      deep = new Object[] {deep};
    }
    UnstorableException refused = refused(deep, Unstorable.BROKEN, Object[].class);
    assertTrue(refused.getMessage().contains("nests too deep"), refused.getMessage());
  }

  /** Collections of the JDK, each with room for one more element that will change it. */
  static Collection<Object> collections() {
    return new ArrayList<>(
        Arrays.asList(
            new ArrayList<>(),
            new LinkedList<>(),
            new ArrayDeque<>(),
            new HashSet<>(),
            new LinkedHashSet<>(),
            new HashMap<>(),
            new LinkedHashMap<>(),
            new IdentityHashMap<>(),
            new Properties()));
  }

  /** A subclass of a hash map, as frameworks have many. */
  static final class Properties extends HashMap<Object, Object> {
    private static final long serialVersionUID = 1L;
  }

  @ParameterizedTest
  @MethodSource("collections")
  void a_collection_that_grows_meanwhile_is_changing_or_comes_back_whole(Object changed) {
    int[] next = {0};
    isWholeOrChanging(
        changed,
        output -> {
          for (int i = 0; i < 100; i++) {
            add(changed, "more" + next[0]++);
          }
        });
  }

  @ParameterizedTest
  @MethodSource("collections")
  void a_collection_that_shrinks_meanwhile_is_changing_or_comes_back_whole(Object changed) {
    isWholeOrChanging(changed, output -> elements(changed).removeIf(String.class::isInstance));
  }

  @ParameterizedTest
  @MethodSource("collections")
  void a_collection_that_is_exchanged_meanwhile_is_changing_or_comes_back_whole(Object changed) {
    isWholeOrChanging(
        changed,
        output -> {
          elements(changed).removeIf(String.class::isInstance);
          for (int i = 0; i < ELEMENTS - 1; i++) {
            add(changed, "another" + i);
          }
        });
  }

  private void isWholeOrChanging(Object changed, Act act) {
    for (int i = 1; i < ELEMENTS; i++) {
      add(changed, "element" + i);
      if (i == ELEMENTS / 2) {
        add(changed, new Writes(act));
      }
    }
    try {
      Encoded encoded = codec.encode(changed);
      Object back = codec.decode(encoded.type(), encoded.bytes());
      assertEquals(changed.getClass(), back.getClass());
      assertEquals(ELEMENTS, elements(back).size());
      assertTrue(elements(back).stream().noneMatch(Objects::isNull));
    } catch (UnstorableException refused) {
      assertEquals(Unstorable.CHANGING, refused.kind(), refused.getMessage());
    }
  }

  @SuppressWarnings("unchecked")
  private static void add(Object collection, Object value) {
    if (collection instanceof Map) {
      ((Map<Object, Object>) collection).put(value, value);
    } else {
      ((Collection<Object>) collection).add(value);
    }
  }

  private static Collection<?> elements(Object collection) {
    return collection instanceof Map
        ? ((Map<?, ?>) collection).keySet()
        : (Collection<?>) collection;
  }

  @Test
  void a_torn_collection_is_changing_and_nothing_else_is() {
    List<Object> changed = new ArrayList<>(Arrays.asList("a", "b"));
    changed.add(0, new Writes(output -> changed.clear()));
    refused(changed, Unstorable.CHANGING, ArrayList.class);

    Map<TimeUnit, Object> runsOut = new EnumMap<>(TimeUnit.class);
    runsOut.put(TimeUnit.DAYS, "last");
    runsOut.put(TimeUnit.HOURS, new Writes(output -> runsOut.remove(TimeUnit.DAYS)));
    refused(runsOut, Unstorable.CHANGING, EnumMap.class);

    Object wrapped =
        new Writes(
            output -> {
              throw new IOException(new ConcurrentModificationException());
            });
    refused(wrapped, Unstorable.CHANGING, Writes.class);
  }
}
