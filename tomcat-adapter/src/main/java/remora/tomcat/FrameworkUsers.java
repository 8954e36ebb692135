package remora.tomcat;

import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Who is logged in by a framework that keeps its login in a session attribute: these sessions, too,
 * are found and counted by the name of their user. Asked only about a value that is being encoded,
 * on the same thread, through the public interfaces of the frameworks as the application's own
 * loader knows them.
 *
 * <p>Whatever goes wrong here costs a label, never a save.
 */
final class FrameworkUsers {

  private static final Log log = LogFactory.getLog(FrameworkUsers.class);

  /** The store takes no longer labels, in bytes of UTF-8. */
  private static final int BYTES_MAX = 256;

  /** How a framework's value leads to a name: by these methods, each of a public interface. */
  private static final Map<String, String[][]> WAYS = ways();

  private final ClassLoader loader;
  private final LongAdder failed = new LongAdder();

  FrameworkUsers(ClassLoader loader) {
    this.loader = loader;
  }

  private static Map<String, String[][]> ways() {
    Map<String, String[][]> ways = new HashMap<>();
    ways.put(
        "SPRING_SECURITY_CONTEXT",
        new String[][] {
          {"org.springframework.security.core.context.SecurityContext", "getAuthentication"},
          {"java.security.Principal", "getName"}
        });
    ways.put(
        "org.apache.shiro.subject.support.DefaultSubjectContext_PRINCIPALS_SESSION_KEY",
        new String[][] {
          {"org.apache.shiro.subject.PrincipalCollection", "getPrimaryPrincipal"},
          {"java.lang.Object", "toString"}
        });
    return ways;
  }

  /**
   * Whether an attribute says who is logged in.
   *
   * @param attribute the application's name of it
   * @return whether {@link #name} is worth asking
   */
  static boolean concerns(String attribute) {
    return WAYS.containsKey(attribute);
  }

  /**
   * Who is logged in. Runs code of the application's.
   *
   * @param attribute an attribute that {@linkplain #concerns concerns} us
   * @param value its value, or null
   * @return a name; null if there is none that can be told
   */
  String name(String attribute, Object value) {
    try {
      Object at = value;
      for (String[] step : WAYS.get(attribute)) {
        if (at == null) {
          return null;
        }
        Method method = Class.forName(step[0], false, loader).getMethod(step[1]);
        at = method.invoke(at);
      }
      String name = (String) at;
      if (name == null || name.isEmpty()) {
        return null;
      } else if (name.getBytes(StandardCharsets.UTF_8).length > BYTES_MAX) {
        failed.increment();
        return null;
      }
      return name;
    } catch (ReflectiveOperationException | RuntimeException | LinkageError unknown) {
      failed.increment();
      log.debug("Nobody can say who is logged in by " + attribute, unknown);
      return null;
    }
  }

  /**
   * How many names were not learned.
   *
   * @return a count that rises for ever
   */
  long failed() {
    return failed.sum();
  }
}
