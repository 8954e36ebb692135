package remora.tomcat.keeper;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import remora.tomcat.store.SessionKey;

/**
 * What an id is: its bare part up to the first dot, the route behind it, and the key under which
 * the store knows it. Immutable.
 *
 * <p>The id is a credential; only its hash leaves this JVM. Ids that no generator of ours could
 * have made are told apart here, so that a forged cookie costs no round trip.
 */
public final class SessionIds {

  /** Shorter bare ids can be guessed, and Tomcat makes none: 4 random bytes in hexadecimal. */
  public static final int BARE_CHARS_MIN = 8;

  /** Tomcat makes 32 characters; four times that leaves room for any sane generator. */
  public static final int BARE_CHARS_MAX = 128;

  /** Longest id with its route: ample for a host's full name, which has 253 characters at most. */
  public static final int ID_CHARS_MAX = 512;

  /** What a bare id consists of, for people. */
  public static final String SHAPE =
      BARE_CHARS_MIN + " to " + BARE_CHARS_MAX + " letters, digits, \"-\" or \"_\"";

  /** What of visible ASCII ends a cookie's value or a text in HTML, where ids may be put. */
  private static final String NEVER_IN_ROUTES = "\"&',;<>\\";

  private final String application;
  private final byte[] secret;

  /**
   * Ids of one application.
   *
   * @param application as in {@link SessionKey#application()}
   * @param secret key for HMAC-SHA-256, or null for plain SHA-256
   */
  public SessionIds(String application, byte[] secret) {
    this.application = application;
    this.secret = secret == null ? null : secret.clone();
  }

  /**
   * The part of an id that names the session.
   *
   * @param id an id with or without a route
   * @return the id up to its first dot
   */
  public static String bare(String id) {
    int dot = id.indexOf('.');
    return dot < 0 ? id : id.substring(0, dot);
  }

  /**
   * An id with another route.
   *
   * @param id an id with or without a route
   * @param route the route, or null to leave the id as it is
   * @return the bare id, a dot and the route
   */
  public static String withRoute(String id, String route) {
    return route == null ? id : bare(id) + '.' + route;
  }

  /**
   * Whether a generator could have made this id. What is not plausible is answered without asking
   * the store. Other Tomcats' routes are unknown here, so that nearly everything may be one; ids
   * that applications write into their pages come from clients, though.
   *
   * @param id as a client sent it
   * @return false for absurd lengths and foreign characters
   */
  public static boolean isPlausible(String id) {
    int bareLength = bare(id).length();
    if (bareLength < BARE_CHARS_MIN || bareLength > BARE_CHARS_MAX || id.length() > ID_CHARS_MAX) {
      return false;
    }
    for (int i = 0; i < id.length(); i++) {
      char c = id.charAt(i);
      if (!(i < bareLength ? mayBeInBareId(c) : mayBeInRoute(c))) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether the ids of this Tomcat would be recognized when they come back: those that look forged
   * are answered with "no session", which would be everybody logged out, unexplained.
   *
   * @param id one that its generator made
   * @param jvmRoute the Engine's route, or null
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  public static void checkOwn(String id, String jvmRoute) {
    if (!isPlausible(id)) {
      throw new IllegalArgumentException(
          "session ids of this Tomcat would not be recognized: up to the first dot they must have "
              + SHAPE
              + ", which the SessionIdGenerator decides, and in all at most "
              + ID_CHARS_MAX
              + " visible ASCII characters without quotes, \"&\", comma, semicolon, \"<\", \">\" and"
              + " backslash, which the jvmRoute \""
              + jvmRoute
              + "\" decides");
    }
  }

  private static boolean mayBeInBareId(char c) {
    return c >= '0' && c <= '9'
        || c >= 'A' && c <= 'Z'
        || c >= 'a' && c <= 'z'
        || c == '-'
        || c == '_';
  }

  private static boolean mayBeInRoute(char c) {
    return c > ' ' && c < 0x7f && NEVER_IN_ROUTES.indexOf(c) < 0;
  }

  /**
   * The key under which the store keeps a session.
   *
   * @param bareId an id without route
   * @return the first 16 bytes of (HMAC-)SHA-256 of the bare id, with the application
   */
  public SessionKey key(String bareId) {
    byte[] text = bareId.getBytes(StandardCharsets.UTF_8);
    byte[] hash;
    try {
      if (secret == null) {
        hash = MessageDigest.getInstance("SHA-256").digest(text);
      } else {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret, "HmacSHA256"));
        hash = mac.doFinal(text);
      }
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("every Java platform must have SHA-256", impossible);
    }
    return new SessionKey(application, Arrays.copyOf(hash, SessionKey.HASH_BYTES));
  }
}
