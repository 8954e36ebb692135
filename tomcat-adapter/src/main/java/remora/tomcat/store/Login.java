package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Who is logged in, by the container or by a framework. In the store the name is the session's
 * label {@code principal}, too, by which it is found and counted; by what else it is found is told
 * by further labels, as of whom an OpenID provider named. Immutable.
 */
public final class Login {

  /** Nobody is logged in: in a save, logs out. */
  public static final Login NONE = new Login("", Collections.<String>emptyList(), "");

  /** What stands for the way of a login that a framework made, which the container knows not of. */
  private static final String FRAMEWORK = "framework";

  private final String principal;
  private final List<String> roles;
  private final String authType;
  private final Map<String, String> labels;

  /**
   * Makes a login.
   *
   * @param principal principal name, at most 256 bytes of UTF-8; empty when nobody is logged in
   * @param roles at most 256, each at most 256 bytes of UTF-8
   * @param authType FORM, BASIC, DIGEST, CLIENT_CERT; at most 32 bytes
   */
  public Login(String principal, List<String> roles, String authType) {
    this(
        principal,
        Collections.unmodifiableList(new ArrayList<>(roles)),
        authType,
        Collections.<String, String>emptyMap());
  }

  private Login(String principal, List<String> roles, String authType, Map<String, String> labels) {
    this.principal = principal;
    this.roles = roles;
    this.authType = authType;
    this.labels = labels;
  }

  /**
   * The same login, found by one label more.
   *
   * @param label its name, as {@link SessionDirectory#OIDC_SID}
   * @param value at most 256 bytes of UTF-8; null for none
   * @return a login
   */
  public Login with(String label, String value) {
    if (value == null) {
      return this;
    }
    Map<String, String> more = new TreeMap<>(labels);
    more.put(label, value);
    return new Login(principal, roles, authType, Collections.unmodifiableMap(more));
  }

  /**
   * A login that a framework made by itself: for people who look for it, not for the container.
   *
   * @param user as the framework calls him
   * @return the login, without roles
   */
  public static Login ofFramework(String user) {
    return new Login(user, Collections.<String>emptyList(), FRAMEWORK);
  }

  /**
   * Whether a framework made the login by itself.
   *
   * @return true if nobody is logged in as far as the container knows
   */
  public boolean isOfFramework() {
    return FRAMEWORK.equals(authType);
  }

  /**
   * Whether nobody is logged in.
   *
   * @return true if there is no principal
   */
  public boolean isNone() {
    return principal.isEmpty();
  }

  /**
   * Who is logged in.
   *
   * @return principal name; empty when nobody is
   */
  public String principal() {
    return principal;
  }

  /**
   * What the principal may do.
   *
   * @return roles, in the order given
   */
  public List<String> roles() {
    return roles;
  }

  /**
   * How the login was made.
   *
   * @return FORM, BASIC, DIGEST, CLIENT_CERT or another name that Tomcat gave
   */
  public String authType() {
    return authType;
  }

  /**
   * By what the session is found beside its principal.
   *
   * @return names and values of labels
   */
  public Map<String, String> labels() {
    return labels;
  }
}
