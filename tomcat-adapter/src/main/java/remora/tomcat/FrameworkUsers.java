package remora.tomcat;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.LongAdder;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.Login;
import remora.tomcat.store.SessionDirectory;

/**
 * Who is logged in by a framework that keeps its login in a session attribute: these sessions, too,
 * are found and counted by the name of their user, and found by what an OpenID provider calls him
 * and the session that he has there. Asked only about a value that is being encoded, on the same
 * thread, through the public interfaces of the frameworks as the application's own loader knows
 * them.
 *
 * <p>Whatever goes wrong here costs a label, never a save.
 */
final class FrameworkUsers {

  private static final Log log = LogFactory.getLog(FrameworkUsers.class);

  /** The store takes no longer labels, in bytes of UTF-8. */
  private static final int BYTES_MAX = 256;

  /** Where Spring Security keeps its login. */
  private static final String SPRING = "SPRING_SECURITY_CONTEXT";

  /** How that leads to the login itself, */
  private static final String[] SPRING_LOGIN = {
    "org.springframework.security.core.context.SecurityContext", "getAuthentication"
  };

  /** and on to what the application knows of its user. */
  private static final String[][] SPRING_USER = {
    SPRING_LOGIN, {"org.springframework.security.core.Authentication", "getPrincipal"}
  };

  /** A user whom an OpenID provider named, with what it claims of him. */
  private static final String OIDC_USER =
      "org.springframework.security.oauth2.core.oidc.user.OidcUser";

  /** How a framework's value leads to a name: by these methods, each of a public interface. */
  private static final Map<String, String[][]> WAYS = ways();

  private final ClassLoader loader;
  private final LongAdder failed = new LongAdder();

  FrameworkUsers(ClassLoader loader) {
    this.loader = loader;
  }

  private static Map<String, String[][]> ways() {
    Map<String, String[][]> ways = new HashMap<>();
    ways.put(SPRING, new String[][] {SPRING_LOGIN, {"java.security.Principal", "getName"}});
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
   * @return the login; null if there is none that can be told
   */
  Login login(String attribute, Object value) {
    String name = label(attribute, () -> (String) follow(value, WAYS.get(attribute)));
    if (name == null) {
      return null;
    }
    Login login = Login.ofFramework(name);
    if (!SPRING.equals(attribute)) {
      return login;
    }
    return login
        .with(SessionDirectory.OIDC_SID, label(attribute, () -> (String) claims(value).get("sid")))
        .with(SessionDirectory.OIDC_SESSION, label(attribute, () -> forClient(value, "sid")))
        .with(SessionDirectory.OIDC_SUBJECT, label(attribute, () -> forClient(value, "sub")));
  }

  /** What is called so by the OpenID provider that named a user; null for all others. */
  private String forClient(Object context, String claim) throws ReflectiveOperationException {
    Map<?, ?> claims = claims(context);
    Object issuer = claims.get("iss"); // Spring Security makes a URL of it
    String client = client(claims);
    String name = (String) claims.get(claim);
    return issuer == null || client == null || name == null
        ? null
        : SessionDirectory.forClient(issuer.toString(), client, name);
  }

  /**
   * Which client a provider speaks to: its only audience, or the one that it says it authorized.
   */
  private static String client(Map<?, ?> claims) {
    Object audience = claims.get("aud");
    if (audience instanceof Collection && ((Collection<?>) audience).size() == 1) {
      return (String) ((Collection<?>) audience).iterator().next();
    }
    return (String) claims.get("azp"); // a token for several has to say it
  }

  /** What an OpenID provider says of its user; nothing of all others. */
  private Map<?, ?> claims(Object context) throws ReflectiveOperationException {
    Object user = follow(context, SPRING_USER);
    Class<?> oidcUser;
    try {
      oidcUser = Class.forName(OIDC_USER, false, loader);
    } catch (ClassNotFoundException plain) {
      return Collections.emptyMap(); // most applications have no OpenID
    }
    if (!oidcUser.isInstance(user)) {
      return Collections.emptyMap();
    }
    return (Map<?, ?>) oidcUser.getMethod("getClaims").invoke(user);
  }

  private Object follow(Object value, String[][] way) throws ReflectiveOperationException {
    Object at = value;
    for (String[] step : way) {
      if (at == null) {
        return null;
      }
      at = Class.forName(step[0], false, loader).getMethod(step[1]).invoke(at);
    }
    return at;
  }

  private String label(String attribute, Callable<String> asked) {
    try {
      String text = asked.call();
      if (text == null || text.isEmpty()) {
        return null;
      } else if (text.getBytes(StandardCharsets.UTF_8).length > BYTES_MAX) {
        failed.increment();
        return null;
      }
      return text;
    } catch (Exception | LinkageError unknown) {
      failed.increment();
      log.debug("Nobody can say who is logged in by " + attribute, unknown);
      return null;
    }
  }

  /**
   * How many names of users, and of their sessions at providers, were not learned.
   *
   * @return a count that rises for ever
   */
  long failed() {
    return failed.sum();
  }
}
