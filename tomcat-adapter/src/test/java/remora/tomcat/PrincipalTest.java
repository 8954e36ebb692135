package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.Principal;
import java.util.Arrays;
import java.util.Collections;
import java.util.function.Supplier;
import javax.servlet.http.HttpServletRequest;
import org.apache.catalina.Session;
import org.apache.catalina.realm.GenericPrincipal;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.StoredAttribute;

/** Who is logged in, of the class that the realm made, wherever the session goes. */
class PrincipalTest extends ManyClients {

  private static final String PASSWORD = "the-password-of-ann";

  /** A realm's own kind of user. */
  private static final class Customer implements Principal, Serializable {
    private static final long serialVersionUID = 1L;
    private final String name;
    private final int number;

    private Customer(String name, int number) {
      this.name = name;
      this.number = number;
    }

    @Override
    public String getName() {
      return name;
    }

    @Override
    public String toString() {
      return name + " " + number;
    }
  }

  /** A realm's own kind of user that cannot leave its Tomcat. */
  private static final class Bound implements Principal {
    @Override
    public String getName() {
      return "ann";
    }
  }

  private static Session session(Node node, HttpServletRequest request) throws Exception {
    return node.manager.findSession(request.getSession().getId());
  }

  private Work logsIn(Node node, Supplier<Principal> principal) {
    return (q, a) -> {
      session(node, q).setPrincipal(principal.get());
      session(node, q).setAuthType("FORM");
    };
  }

  /** What a request elsewhere sees of the login. */
  private String seen(Node node) throws Exception {
    pages.page(
        "who",
        (q, a) -> {
          Principal principal = session(node, q).getPrincipal();
          a.getWriter().print(principal == null ? "nobody" : principal.getName());
          if (principal instanceof GenericPrincipal) {
            GenericPrincipal generic = (GenericPrincipal) principal;
            a.getWriter().print(Arrays.toString(generic.getRoles()));
            a.getWriter().print(generic.getUserPrincipal().getClass().getSimpleName());
            a.getWriter().print(" " + generic.getUserPrincipal());
          }
          a.getWriter().print(" by " + session(node, q).getAuthType());
          a.getWriter().print(Collections.list(q.getSession().getAttributeNames()));
        });
    return page(node, "who").body();
  }

  private GenericPrincipal generic(Principal user) {
    return new GenericPrincipal("ann", PASSWORD, Arrays.asList("buyer", "seller"), user);
  }

  @Test
  void a_principal_of_an_own_class_keeps_class_and_content() throws Exception {
    pages.page("login", logsIn(one, () -> generic(new Customer("ann", 7))));
    assertAnswered(page(one, "login"));
    String expected = "ann[buyer, seller]Customer ann 7 by FORM[cart]";
    assertEquals(expected, seen(two));
    assertEquals(expected, seen(one));
    two.tomcat.stop();
    assertEquals(expected, seen(one), "also when it came back by a release");
  }

  @Test
  void a_principal_that_cannot_be_stored_keeps_name_and_roles() throws Exception {
    pages.page("login", logsIn(one, () -> generic(new Bound())));
    assertAnswered(page(one, "login"));
    String elsewhere = seen(two);
    assertEquals(true, elsewhere.startsWith("ann[buyer, seller]GenericPrincipal"), elsewhere);
    assertEquals(true, elsewhere.endsWith(" by FORM[cart]"), elsewhere);
  }

  @Test
  void a_logout_of_the_login_alone_takes_the_principal_away_elsewhere() throws Exception {
    pages.page("login", logsIn(one, () -> generic(new Customer("ann", 7))));
    assertAnswered(page(one, "login"));
    assertEquals(true, seen(two).startsWith("ann"));
    pages.page("login", logsIn(one, () -> null));
    assertAnswered(page(one, "login"));
    assertEquals(true, seen(two).startsWith("nobody"), seen(two));
  }

  @Test
  void another_user_of_the_same_name_is_another_principal() throws Exception {
    pages.page("login", logsIn(one, () -> generic(new Customer("ann", 7))));
    assertAnswered(page(one, "login"));
    pages.page("login", logsIn(one, () -> generic(new Customer("ann", 8))));
    assertAnswered(page(one, "login"));
    assertEquals(true, seen(two).contains("Customer ann 8"), seen(two));
  }

  @Test
  void no_password_leaves_this_tomcat() throws Exception {
    pages.page("login", logsIn(one, () -> generic(generic(new Customer("ann", 7)))));
    assertAnswered(page(one, "login"));
    for (StoreCalls.Call save : one.calls.all("save")) {
      SessionChange change = save.argument(SessionChange.class);
      for (StoredAttribute attribute : change.changed()) {
        String bytes = new String(attribute.bytes(), StandardCharsets.ISO_8859_1);
        assertFalse(bytes.contains(PASSWORD), attribute.name());
      }
      assertFalse(("" + change.login()).contains(PASSWORD));
    }
    assertEquals(true, seen(two).startsWith("ann[buyer, seller]"), seen(two));
  }
}
