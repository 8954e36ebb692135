package remora.tomcat.codec;

import java.io.Externalizable;
import java.io.Serializable;
import java.lang.reflect.Constructor;
import java.lang.reflect.Modifier;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Whether a class that is being written could be read back by this application: on another Tomcat,
 * from nothing but its name. Thread-safe.
 *
 * <p>Only classes that the application's loader finds are remembered, so that none is kept from
 * being unloaded by it.
 */
final class ReadableClasses {

  private final ClassLoader loader;
  private final ClassFilter filter;
  private final Set<Class<?>> readable = ConcurrentHashMap.newKeySet();
  private final Set<Class<?>> instantiable = ConcurrentHashMap.newKeySet();

  ReadableClasses(ClassLoader loader, ClassFilter filter) {
    this.loader = loader;
    this.filter = filter;
  }

  /**
   * Refuses a class that the bytes name.
   *
   * @throws UnstorableException with the filter's own sentence, or because the name leads elsewhere
   */
  void checkNamed(Class<?> type) {
    if (type.isPrimitive() || readable.contains(type)) {
      return;
    }
    String refusal = filter.refusal(type.getName());
    if (refusal == null && InputLimits.refuses(type)) {
      refusal = "class " + type.getName() + " is refused by this JVM's jdk.serialFilter";
    }
    if (refusal == null && !isFound(type)) {
      refusal =
          "class "
              + type.getName()
              + " is not what the application's class loader finds under this name, so that no"
              + " other Tomcat could read it";
    }
    if (refusal != null) {
      throw new UnstorableException(Unstorable.FILTERED, type.getName(), refusal, null);
    }
    readable.add(type);
  }

  private boolean isFound(Class<?> type) {
    try {
      return Class.forName(type.getName(), false, loader) == type;
    } catch (ClassNotFoundException | LinkageError elsewhere) {
      return false;
    }
  }

  /**
   * Refuses an object whose class can be written but not made again: Java serialization finds that
   * out when it reads.
   *
   * @throws UnstorableException with a sentence that names the constructor that is missing
   */
  void checkMade(Class<?> type) {
    if (instantiable.contains(type)) {
      return;
    }
    String missing = missingConstructor(type);
    if (missing != null) {
      String refusal =
          "class "
              + type.getName()
              + " could be saved but never read: "
              + missing
              + " needs a constructor without parameters";
      throw new UnstorableException(Unstorable.NOT_SERIALIZABLE, type.getName(), refusal, null);
    }
    if (readable.contains(type)) {
      instantiable.add(type);
    }
  }

  private static String missingConstructor(Class<?> type) {
    if (Externalizable.class.isAssignableFrom(type)) {
      return hasConstructor(type, Modifier.PUBLIC, null) ? null : "an Externalizable class";
    }
    Class<?> superclass = type;
    while (superclass != null && Serializable.class.isAssignableFrom(superclass)) {
      superclass = superclass.getSuperclass();
    }
    if (superclass == null
        || hasConstructor(superclass, Modifier.PUBLIC | Modifier.PROTECTED, type)) {
      return null;
    }
    return "its superclass " + superclass.getName();
  }

  /** Whether there is one, as visible as this or, for a class of the same package, not private. */
  private static boolean hasConstructor(Class<?> type, int visible, Class<?> from) {
    try {
      Constructor<?> constructor = type.getDeclaredConstructor();
      int modifiers = constructor.getModifiers();
      return (modifiers & visible) != 0
          || (from != null && !Modifier.isPrivate(modifiers) && samePackage(type, from));
    } catch (NoSuchMethodException none) {
      return false;
    } catch (LinkageError | SecurityException unknown) {
      return true;
    }
  }

  private static boolean samePackage(Class<?> one, Class<?> other) {
    return one.getClassLoader() == other.getClassLoader()
        && packageOf(one).equals(packageOf(other));
  }

  private static String packageOf(Class<?> type) {
    return type.getName().substring(0, type.getName().lastIndexOf('.') + 1);
  }
}
