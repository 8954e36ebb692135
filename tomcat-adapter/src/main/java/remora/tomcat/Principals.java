package remora.tomcat;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.security.Principal;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.catalina.realm.GenericPrincipal;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.Login;

/**
 * Container logins as the store keeps them, and back. Name, roles and how the login was made; never
 * a password.
 *
 * <p>{@link GenericPrincipal} lost its password argument between Tomcat 9.0 and 11.0, so its
 * constructor is looked up once, by what is there.
 */
final class Principals {

  private static final Log log = LogFactory.getLog(Principals.class);

  private static final MethodHandle CONSTRUCTOR = constructor();

  private static volatile boolean foreignPrincipalReported;

  private Principals() {}

  private static MethodHandle constructor() {
    MethodHandles.Lookup lookup = MethodHandles.publicLookup();
    Class<?> made = GenericPrincipal.class;
    Class<?> name = String.class;
    try {
      try {
        return lookup.findConstructor(
            made, MethodType.methodType(void.class, name, List.class, Principal.class));
      } catch (NoSuchMethodException before101) {
        MethodHandle withPassword =
            lookup.findConstructor(
                made, MethodType.methodType(void.class, name, name, List.class, Principal.class));
        return MethodHandles.insertArguments(withPassword, 1, (Object) null);
      }
    } catch (ReflectiveOperationException unknownTomcat) {
      throw new IllegalStateException(
          "this Tomcat's GenericPrincipal has neither of the constructors of Tomcat 9.0 to 11.0",
          unknownTomcat);
    }
  }

  /**
   * What the application knows as its user, beside the container's own description of him.
   *
   * @param principal who is logged in, or null
   * @return the realm's own principal; null if there is none but the container's
   */
  static Principal inner(Principal principal) {
    if (!(principal instanceof GenericPrincipal)) {
      return principal;
    }
    Principal user = ((GenericPrincipal) principal).getUserPrincipal();
    return user instanceof GenericPrincipal ? null : user;
  }

  /**
   * A login as the store keeps it.
   *
   * @param principal who is logged in, or null
   * @param authType how, or null
   * @return the login; {@link Login#NONE} for nobody
   */
  static Login login(Principal principal, String authType) {
    if (principal == null || principal.getName() == null || principal.getName().isEmpty()) {
      return Login.NONE;
    }
    List<String> roles = Collections.emptyList();
    if (principal instanceof GenericPrincipal) {
      roles = Arrays.asList(((GenericPrincipal) principal).getRoles());
    } else if (!foreignPrincipalReported) {
      foreignPrincipalReported = true;
      log.warn(
          "A principal of class "
              + principal.getClass().getName()
              + " names no roles. After a failover its user stays logged in by name, without roles."
              + " Use a realm that makes GenericPrincipal.");
    }
    return new Login(principal.getName(), roles, authType == null ? "" : authType);
  }

  /**
   * A principal as Tomcat's own realms make them.
   *
   * @param login a login, not {@link Login#NONE}
   * @param inner the realm's own principal, or null
   * @return the principal
   */
  static Principal principal(Login login, Principal inner) {
    try {
      return (GenericPrincipal) CONSTRUCTOR.invoke(login.principal(), login.roles(), inner);
    } catch (RuntimeException | Error passOn) {
      throw passOn;
    } catch (Throwable impossible) {
      throw new IllegalStateException("GenericPrincipal cannot be made", impossible);
    }
  }
}
