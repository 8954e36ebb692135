package program;

import java.io.Externalizable;
import java.io.IOException;
import java.io.InvalidObjectException;
import java.io.ObjectInput;
import java.io.ObjectInputStream;
import java.io.ObjectOutput;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

/** Values of classes that the application brings, well behaved and not. */
final class OwnKinds {

  private OwnKinds() {}

  static void add(Map<String, Function<String, Object>> kinds) {
    kinds.put("half-kept", HalfKept::new);
    kinds.put("point", text -> new Point(1, 2));
    kinds.put("record", text -> new Pair(text, new Point(5, 6)));
    kinds.put("inner", text -> new Outer(text).new Inner());
    kinds.put("color", Color::valueOf);
    kinds.put("tree", text -> new Twig(text, new Twig("child", null)).closed());
    kinds.put("child-of-plain", Child::new);
    kinds.put("external", External::new);
    kinds.put("singleton-bean", text -> Single.ONLY);
    kinds.put("stand-in", StandIn::new);
    kinds.put("own-list", text -> new OwnList(text));
    kinds.put("own-map", text -> new Bounded());
    kinds.put("anonymous", text -> anonymous());
    kinds.put("lambda", text -> (Supplier<String> & Serializable) () -> "from a lambda");
    kinds.put("comparator", text -> Comparator.<String>naturalOrder().reversed());
    kinds.put("proxy", OwnKinds::proxy);
    kinds.put("failure", text -> new Failure(text));
    kinds.put("plain", Plain::new);
    kinds.put("holds-plain", text -> new Holder(new Plain(text)));
    kinds.put("list-of-plain", text -> new ArrayList<>(List.of(new Plain(text))));
    kinds.put("write-fails", Unwritable::new);
    kinds.put("read-fails", Unreadable::new);
    kinds.put("deep", depth -> deep(Integer.parseInt(depth)));
    kinds.put("bound", Bound::new);
    kinds.put("bound-plain", BoundPlain::new);
    kinds.put("active", Active::new);
  }

  private static Object anonymous() {
    return new HashMap<String, Integer>() {
      private static final long serialVersionUID = 1L;

      {
        put("brace", 1);
      }
    };
  }

  private static Object proxy(String text) {
    return Proxy.newProxyInstance(
        OwnKinds.class.getClassLoader(), new Class<?>[] {Greeter.class}, new Handler(text));
  }

  private static Object deep(int depth) {
    Twig twig = null;
    for (int level = 0; level < depth; level++) {
      twig = new Twig("t", twig);
    }
    return twig;
  }

  /** A record with a bean in it. */
  record Pair(String name, Point point) implements Serializable {}

  /** Constants, one with a body of its own. */
  enum Color {
    RED,
    GREEN {
      @Override
      String shade() {
        return "dark";
      }
    };

    String shade() {
      return "plain";
    }
  }

  /** What a proxy implements. */
  public interface Greeter {
    String greet();
  }

  /** Answers for a proxy. */
  static final class Handler implements InvocationHandler, Serializable {
    private static final long serialVersionUID = 1L;
    final String text;

    Handler(String text) {
      this.text = text;
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
      return method.getName().equals("greet") ? "greetings, " + text : method.getName();
    }
  }

  /** Holds an inner object, which holds it. */
  static final class Outer implements Serializable {
    private static final long serialVersionUID = 1L;
    final String name;

    Outer(String name) {
      this.name = name;
    }

    /** Of an outer object. */
    final class Inner implements Serializable {
      private static final long serialVersionUID = 1L;
      final String of = name;
    }
  }

  /** A tree that knows its root. */
  static final class Twig implements Serializable {
    private static final long serialVersionUID = 1L;
    final String name;
    final Twig child;
    Twig root;

    Twig(String name, Twig child) {
      this.name = name;
      this.child = child;
    }

    Twig closed() {
      root = this;
      child.root = this;
      return this;
    }
  }

  /** Not serializable, with the constructor that its serializable child needs. */
  static class Parent {
    String inherited = "as constructed";
  }

  /** Serializable below a parent that is not. */
  static final class Child extends Parent implements Serializable {
    private static final long serialVersionUID = 1L;
    final String own;

    Child(String own) {
      this.own = own;
    }
  }

  /** Keeps one of its fields from being written. */
  static final class HalfKept implements Serializable {
    private static final long serialVersionUID = 1L;
    final transient String left;
    final String kept;

    HalfKept(String text) {
      left = text;
      kept = text;
    }
  }

  /** Writes itself. */
  public static final class External implements Externalizable {
    private static final long serialVersionUID = 1L;
    String text;

    /** For reading. */
    public External() {}

    External(String text) {
      this.text = text;
    }

    @Override
    public void writeExternal(ObjectOutput out) throws IOException {
      out.writeUTF(text);
    }

    @Override
    public void readExternal(ObjectInput in) throws IOException {
      text = in.readUTF();
    }
  }

  /** The only one of its kind, also after reading. */
  static final class Single implements Serializable {
    private static final long serialVersionUID = 1L;
    static final Single ONLY = new Single();

    private Object readResolve() {
      return ONLY;
    }

    @Override
    public String toString() {
      return this == ONLY ? "the only one" : "another one";
    }
  }

  /** Goes to the stream as another object. */
  static final class StandIn implements Serializable {
    private static final long serialVersionUID = 1L;
    final String text;

    StandIn(String text) {
      this.text = text;
    }

    private Object writeReplace() {
      return new Form(text);
    }

    private record Form(String text) implements Serializable {
      private Object readResolve() {
        return new StandIn(text);
      }
    }
  }

  /** A list with a field. */
  static final class OwnList extends ArrayList<String> {
    private static final long serialVersionUID = 1L;
    final String label;

    OwnList(String label) {
      this.label = label;
      add("in " + label);
    }
  }

  /** A map that forgets its eldest entry. */
  static final class Bounded extends LinkedHashMap<String, Object> {
    private static final long serialVersionUID = 1L;

    Bounded() {
      put("first", 1);
      put("second", 2);
    }

    @Override
    protected boolean removeEldestEntry(Map.Entry<String, Object> eldest) {
      return size() > 2;
    }
  }

  /** An exception of the application's own. */
  static final class Failure extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Failure(String message) {
      super(message, new IOException("its cause"));
      addSuppressed(new IllegalStateException("suppressed"));
    }
  }

  /** Not serializable. */
  static final class Plain {
    String text;

    Plain(String text) {
      this.text = text;
    }
  }

  /** Serializable in name only. */
  record Holder(Plain plain) implements Serializable {}

  /** Throws while it is written. */
  static final class Unwritable implements Serializable {
    private static final long serialVersionUID = 1L;
    final String how;

    Unwritable(String how) {
      this.how = how;
    }

    private void writeObject(ObjectOutputStream out) throws IOException {
      if (how.equals("checked")) {
        throw new IOException("asked to fail");
      }
      if (how.equals("error")) {
        throw new StackOverflowError("asked to fail");
      }
      throw new IllegalStateException("asked to fail");
    }
  }

  /** Throws while it is read. */
  static final class Unreadable implements Serializable {
    private static final long serialVersionUID = 1L;
    final String text;

    Unreadable(String text) {
      this.text = text;
    }

    private void readObject(ObjectInputStream in) throws IOException {
      throw new InvalidObjectException("asked to fail");
    }
  }
}
