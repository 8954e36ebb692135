package remora.tomcat.codec;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.Proxy;
import java.security.Security;

/**
 * Limits on what a Java serialization stream may build, through {@code java.io.ObjectInputFilter}.
 *
 * <p>That class is Java 9's and this jar is Java 8's, so it is reached by method handles. On Java 8
 * there are no limits but the length of the bytes and the stack.
 */
final class InputLimits {

  /**
   * Levels of nested objects: more than the default stack of a request thread can write, so
   * whatever was written can be read.
   */
  private static final int DEPTH_MAX = 5_000;

  /** The JVM-wide filter's name; a filter set on a stream takes its place, so ours repeats it. */
  private static final String JVM_FILTER = "jdk.serialFilter";

  private static final MethodHandle CREATE;
  private static final MethodHandle SET;
  private static final MethodHandle CHECK;
  private static final Class<?> INFO;

  static {
    MethodHandle create = null;
    MethodHandle set = null;
    MethodHandle check = null;
    Class<?> info = null;
    try {
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      Class<?> filter = Class.forName("java.io.ObjectInputFilter");
      Class<?> config = Class.forName("java.io.ObjectInputFilter$Config");
      create =
          lookup.findStatic(config, "createFilter", MethodType.methodType(filter, String.class));
      set =
          lookup
              .findVirtual(
                  ObjectInputStream.class,
                  "setObjectInputFilter",
                  MethodType.methodType(void.class, filter))
              .asType(MethodType.methodType(void.class, ObjectInputStream.class, Object.class));
      create = create.asType(MethodType.methodType(Object.class, String.class));
      info = Class.forName("java.io.ObjectInputFilter$FilterInfo");
      Class<?> status = Class.forName("java.io.ObjectInputFilter$Status");
      check =
          lookup
              .findVirtual(filter, "checkInput", MethodType.methodType(status, info))
              .asType(MethodType.methodType(Object.class, Object.class, Object.class));
    } catch (ReflectiveOperationException javaEight) {
      create = null;
      set = null;
    }
    CREATE = create;
    SET = set;
    CHECK = check;
    INFO = info;
  }

  private InputLimits() {}

  /**
   * Limits a stream over this many bytes: as every element and every object takes a byte at least,
   * an honest stream has no array longer than that, and no more objects.
   */
  static void set(ObjectInputStream input, int bytes) throws IOException {
    if (CREATE == null) {
      return;
    }
    String pattern =
        "maxdepth=" + DEPTH_MAX + ";maxarray=" + bytes + ";maxrefs=" + bytes + ";maxbytes=" + bytes;
    String jvmWide = jvmWide();
    String both = jvmWide == null ? pattern : pattern + ";" + jvmWide;
    try {
      Object filter = (Object) CREATE.invokeExact(both);
      SET.invokeExact(input, filter);
    } catch (RuntimeException | Error unchecked) {
      throw unchecked;
    } catch (Throwable checked) {
      throw new IOException("the limits of a serialization stream could not be set", checked);
    }
  }

  private static String jvmWide() {
    return System.getProperty(JVM_FILTER, Security.getProperty(JVM_FILTER));
  }

  /**
   * Whether the JVM-wide filter would refuse a class when it is read; asked when it is written.
   *
   * @param type a class that the bytes will name
   * @return false if there is no such filter
   */
  static boolean refuses(Class<?> type) {
    String jvmWide = jvmWide();
    if (CREATE == null || jvmWide == null) {
      return false;
    }
    try {
      Object filter = (Object) CREATE.invokeExact(jvmWide);
      Object status = (Object) CHECK.invokeExact(filter, aboutClass(type));
      return "REJECTED".equals(status.toString());
    } catch (RuntimeException | Error unchecked) {
      throw unchecked;
    } catch (Throwable checked) {
      throw new IllegalStateException("a serialization filter throws nothing checked", checked);
    }
  }

  /** One object of a class, at the beginning of a stream. */
  private static Object aboutClass(Class<?> type) {
    return Proxy.newProxyInstance(
        InputLimits.class.getClassLoader(),
        new Class<?>[] {INFO},
        (proxy, method, arguments) -> {
          switch (method.getName()) {
            case "serialClass":
              return type;
            case "arrayLength":
              return -1L;
            default:
              return method.getReturnType() == long.class ? (Object) 1L : null;
          }
        });
  }
}
