package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Who is logged in, by the container or by a framework. In the store the name is the session's
 * label {@code principal}, too, by which it is found and counted, and the session that the user has
 * at an OpenID provider is its label {@code oidc.sid}. Immutable.
 */
public final class Login {

  /** Nobody is logged in: in a save, logs out. */
  public static final Login NONE = new Login("", Collections.<String>emptyList(), "");

  /** What stands for the way of a login that a framework made, which the container knows not of. */
  private static final String FRAMEWORK = "framework";

  private final String principal;
  private final List<String> roles;
  private final String authType;
  private final String oidcSid;

  /**
   * Makes a login.
   *
   * @param principal principal name, at most 256 bytes of UTF-8; empty when nobody is logged in
   * @param roles at most 256, each at most 256 bytes of UTF-8
   * @param authType FORM, BASIC, DIGEST, CLIENT_CERT; at most 32 bytes
   */
  public Login(String principal, List<String> roles, String authType) {
    this(principal, Collections.unmodifiableList(new ArrayList<>(roles)), authType, "");
  }

  private Login(String principal, List<String> roles, String authType, String oidcSid) {
    this.principal = principal;
    this.roles = roles;
    this.authType = authType;
    this.oidcSid = oidcSid;
  }

  /**
   * The same login, made by an OpenID provider.
   *
   * @param sid the provider's session of the user, at most 256 bytes of UTF-8; empty for none
   * @return a login
   */
  public Login withOidcSid(String sid) {
    return new Login(principal, roles, authType, sid);
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
   * By which session at an OpenID provider the login was made.
   *
   * @return the provider's {@code sid}; empty when none is known
   */
  public String oidcSid() {
    return oidcSid;
  }
}
