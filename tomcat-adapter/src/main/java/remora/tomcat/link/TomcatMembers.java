package remora.tomcat.link;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Every class, field and method of Tomcat's that our classes name, looked up as the JVM would when
 * it first comes across them.
 *
 * <p>Left out: members that are found by name on purpose, because some releases lack them; whoever
 * asks for one says what happens without it.
 */
public final class TomcatMembers {

  /** The oldest release of each line on which our tests pass. */
  public static final List<String> OLDEST =
      Collections.unmodifiableList(Arrays.asList("9.0.30", "10.1.0", "11.0.0"));

  /** From these, all other classes of ours that meet Tomcat are reached. */
  private static final List<String> ROOTS =
      Arrays.asList("remora/tomcat/RemoraManager", "org/apache/coyote/CommitHook");

  private static final List<String> OURS =
      Arrays.asList("remora/tomcat/", "org/apache/coyote/CommitHook");

  private static final List<String> TOMCATS =
      Arrays.asList(
          "org/apache/catalina/", "org/apache/coyote/", "org/apache/tomcat/", "org/apache/juli/");

  private final ClassLoader loader;
  private final Map<String, ClassFile> files = new LinkedHashMap<>();
  private final Map<Class<?>, Map<String, Integer>> declared = new HashMap<>();
  private final Set<String> missing = new TreeSet<>();

  /** Looked for once, whatever the number of applications. */
  private static final class Here {
    static final List<String> MISSING = missing(TomcatMembers.class.getClassLoader());
  }

  private TomcatMembers(ClassLoader loader) {
    this.loader = loader;
  }

  /**
   * Refuses a Tomcat that lacks something.
   *
   * @param release what it calls itself
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  public static void check(String release) {
    check(release, Here.MISSING);
  }

  static void check(String release, List<String> missing) {
    if (!missing.isEmpty()) {
      throw new IllegalArgumentException(
          "Remora runs on Tomcat "
              + String.join(", ", OLDEST)
              + " and later releases of these lines. This one, "
              + release
              + ", lacks "
              + String.join(", ", missing));
    }
  }

  /**
   * What a Tomcat lacks.
   *
   * @param loader knows our classes and that Tomcat's
   * @return names of classes and members, sorted; none if all is there
   */
  static List<String> missing(ClassLoader loader) {
    TomcatMembers members = new TomcatMembers(loader);
    try {
      members.readOurs();
      for (ClassFile file : members.files.values()) {
        members.resolve(file);
      }
    } catch (IOException broken) {
      throw new IllegalStateException("our own classes cannot be read", broken);
    }
    return Collections.unmodifiableList(Arrays.asList(members.missing.toArray(new String[0])));
  }

  private static boolean isOneOf(List<String> prefixes, String name) {
    return prefixes.stream().anyMatch(name::startsWith);
  }

  private static boolean isTomcats(String name) {
    return isOneOf(TOMCATS, name) && !isOneOf(OURS, name);
  }

  private void readOurs() throws IOException {
    Deque<String> unread = new ArrayDeque<>(ROOTS);
    while (!unread.isEmpty()) {
      String name = unread.remove();
      if (isOneOf(OURS, name) && !files.containsKey(name)) {
        ClassFile file = new ClassFile(read(name + ".class"));
        files.put(name, file);
        unread.addAll(file.classes());
      }
    }
  }

  private byte[] read(String resource) throws IOException {
    try (InputStream input = loader.getResourceAsStream(resource)) {
      if (input == null) {
        throw new IOException(resource + " is not there");
      }
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      byte[] buffer = new byte[8192];
      for (int length = input.read(buffer); length >= 0; length = input.read(buffer)) {
        bytes.write(buffer, 0, length);
      }
      return bytes.toByteArray();
    }
  }

  private void resolve(ClassFile file) {
    for (String name : file.classes()) {
      if (isTomcats(name)) {
        load(name);
      }
    }
    for (ClassFile.Member member : file.members()) {
      if (inherits(member.owner)) {
        Class<?> owner = load(member.owner);
        if (owner != null && !has(owner, member, file.name())) {
          missing.add(member.toString());
        }
      }
    }
  }

  /** Whether a member of that class may be Tomcat's: members of ours alone are there for sure. */
  private boolean inherits(String owner) {
    ClassFile file = files.get(owner);
    return file == null ? isTomcats(owner) : file.parents().stream().anyMatch(this::inherits);
  }

  private Class<?> load(String name) {
    try {
      return Class.forName(name.replace('/', '.'), false, loader);
    } catch (ClassNotFoundException | LinkageError unusable) {
      missing.add(name.replace('/', '.'));
      return null;
    }
  }

  /** As the JVM looks members up: the class, what it extends, what it implements. */
  private boolean has(Class<?> owner, ClassFile.Member member, String user) {
    Map<String, Integer> here = declared(owner);
    if (here == null) {
      return true; // not to be told: a type that some other member names is not there
    }
    Integer modifiers = here.get(member.name + member.descriptor);
    if (modifiers != null) {
      return mayUse(owner, modifiers, user);
    }
    Class<?> parent = owner.getSuperclass();
    if (parent != null && has(parent, member, user)) {
      return true;
    }
    return Arrays.stream(owner.getInterfaces()).anyMatch(above -> has(above, member, user));
  }

  /** A class that inherits a protected member is one that it is a kind of. */
  private boolean mayUse(Class<?> declaring, int modifiers, String user) {
    if (Modifier.isPublic(modifiers) || user.equals(declaring.getName().replace('.', '/'))) {
      return true;
    }
    String ofDeclaring = declaring.getName();
    boolean neighbours =
        ofDeclaring
            .substring(0, ofDeclaring.lastIndexOf('.') + 1)
            .equals(user.substring(0, user.lastIndexOf('/') + 1).replace('/', '.'));
    if (Modifier.isPrivate(modifiers)) {
      return isOneOf(OURS, ofDeclaring.replace('.', '/')); // a nested class, since Java 11
    }
    if (neighbours || !Modifier.isProtected(modifiers)) {
      return neighbours;
    }
    Class<?> using = load(user);
    return using != null && declaring.isAssignableFrom(using);
  }

  /** Name and descriptor of each member that a class declares, with its modifiers. */
  private Map<String, Integer> declared(Class<?> type) {
    if (!declared.containsKey(type)) {
      Map<String, Integer> members = new HashMap<>();
      try {
        for (Field field : type.getDeclaredFields()) {
          String descriptor =
              MethodType.methodType(field.getType()).toMethodDescriptorString().substring(2);
          members.put(field.getName() + descriptor, field.getModifiers());
        }
        for (Method method : type.getDeclaredMethods()) {
          MethodType kind =
              MethodType.methodType(method.getReturnType(), method.getParameterTypes());
          members.put(method.getName() + kind.toMethodDescriptorString(), method.getModifiers());
        }
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
          MethodType kind = MethodType.methodType(void.class, constructor.getParameterTypes());
          members.put("<init>" + kind.toMethodDescriptorString(), constructor.getModifiers());
        }
        declared.put(type, members);
      } catch (LinkageError incomplete) {
        declared.put(type, null);
      }
    }
    return declared.get(type);
  }
}
