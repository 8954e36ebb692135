package remora.tomcat;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.Set;
import org.apache.catalina.Context;
import remora.tomcat.codec.Encoded;

/**
 * What of an application wants to hear when a session ends. Known by the names of its interfaces:
 * those of two lines of Tomcat are called differently.
 *
 * <p>What listeners an application has registered it says to the store when it starts, once for
 * all. A value that listens for itself says so with its bytes, since nobody can know beforehand
 * which will come, and who saw them may be gone when their session expires.
 */
final class EndListeners {

  private static final Set<String> REGISTERED =
      names("HttpSessionListener", "HttpSessionAttributeListener");

  private static final Set<String> VALUES = names("HttpSessionBindingListener");

  /** Asked for each value that is encoded. */
  private static final ClassValue<Boolean> VALUE =
      new ClassValue<Boolean>() {
        @Override
        protected Boolean computeValue(Class<?> type) {
          return is(type, VALUES);
        }
      };

  private EndListeners() {}

  private static Set<String> names(String... simple) {
    Set<String> names = new HashSet<>();
    for (String line : Arrays.asList("javax", "jakarta")) {
      for (String name : simple) {
        names.add(line + ".servlet.http." + name);
      }
    }
    return Collections.unmodifiableSet(names);
  }

  /**
   * Whether an application has listeners of sessions or of their attributes.
   *
   * @param context the application, whose listeners have started
   * @return true if one of them hears when a session ends
   */
  static boolean areRegistered(Context context) {
    return anyOf(context.getApplicationLifecycleListeners())
        || anyOf(context.getApplicationEventListeners());
  }

  private static boolean anyOf(Object[] listeners) {
    for (Object listener : listeners) {
      if (is(listener.getClass(), REGISTERED)) {
        return true;
      }
    }
    return false;
  }

  /**
   * The type tag of a value as the store is to know it.
   *
   * @param type the codec's
   * @param value the value
   * @return the tag, with the mark if the value wants to hear when its session ends
   */
  static int marked(int type, Object value) {
    return VALUE.get(value.getClass()) ? type | Encoded.HEARS : type;
  }

  /**
   * The codec's type tag.
   *
   * @param marked as the store knows it
   * @return the tag without the mark
   */
  static int unmarked(int marked) {
    return marked & ~Encoded.HEARS;
  }

  private static boolean is(Class<?> type, Set<String> names) {
    if (type == null) {
      return false;
    }
    if (names.contains(type.getName()) || is(type.getSuperclass(), names)) {
      return true;
    }
    for (Class<?> face : type.getInterfaces()) {
      if (is(face, names)) {
        return true;
      }
    }
    return false;
  }
}
