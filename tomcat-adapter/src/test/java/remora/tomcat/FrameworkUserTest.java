package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContext;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.Login;
import remora.tomcat.store.SessionDirectory;

/** Users whom a framework has logged in are found by name, and are nobody to the container. */
class FrameworkUserTest extends ManyClients {

  private static final String CONTEXT = "SPRING_SECURITY_CONTEXT";

  /** A framework's login. */
  private static final class User implements SecurityContext, Authentication {
    private static final long serialVersionUID = 1L;
    private final String name;
    private final Object known;

    private User(String name) {
      this(name, "nothing but a name");
    }

    private User(String name, Object known) {
      this.name = name;
      this.known = known;
    }

    @Override
    public Authentication getAuthentication() {
      return this;
    }

    @Override
    public Object getPrincipal() {
      return known;
    }

    @Override
    public String getName() {
      if (name == null) {
        throw new IllegalStateException("an application's own trouble");
      }
      return name;
    }
  }

  /** A provider of OpenID, and what the application is called there. */
  private static final String ISSUER = "https://provider.example";

  private static final String CLIENT = "shop";
  private static final String[] NO_ONE = {};

  /** What an OpenID provider says of a user. */
  private static final class Claims implements OidcUser, Serializable {
    private static final long serialVersionUID = 1L;
    private final HashMap<String, Object> claims = new HashMap<>();

    private static User of(Object sid) {
      return of(sid, CLIENT);
    }

    private static User of(Object sid, String... audience) {
      Claims said = new Claims();
      said.claims.put("iss", ISSUER);
      said.claims.put("aud", new ArrayList<>(Arrays.asList(audience)));
      if (audience.length > 1) {
        said.claims.put("azp", audience[audience.length - 1]);
      }
      said.claims.put("sub", "ann-there");
      said.claims.put("sid", sid);
      return new User("ann", said);
    }

    @Override
    public Map<String, Object> getClaims() {
      return claims;
    }
  }

  @BeforeEach
  void logInAtProvider() {
    pages.page("oidc", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of("7f3a")));
    pages.page("another", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of("8b4c")));
    pages.page("without", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of(null)));
    String lengthy = String.join("", Collections.nCopies(300, "7"));
    pages.page("lengthy", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of(lengthy)));
    pages.page(
        "several",
        (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of("7f3a", "statistics", CLIENT)));
    pages.page("nobody", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of("7f3a", NO_ONE)));
    pages.page("number", (q, a) -> q.getSession().setAttribute(CONTEXT, Claims.of(7)));
  }

  @BeforeEach
  void logIn() {
    pages.page("login", (q, a) -> q.getSession().setAttribute(CONTEXT, new User("ann")));
    pages.page(
        "long",
        (q, a) ->
            q.getSession()
                .setAttribute(CONTEXT, new User(String.join("", Collections.nCopies(300, "a")))));
    pages.page("broken", (q, a) -> q.getSession().setAttribute(CONTEXT, new User(null)));
    pages.page("other", (q, a) -> q.getSession().setAttribute(CONTEXT, new Impostor()));
    pages.page("leave", (q, a) -> q.getSession().removeAttribute(CONTEXT));
    pages.page(
        "who",
        (q, a) ->
            a.getWriter().print(one.manager.findSession(q.getSession().getId()).getPrincipal()));
  }

  /** Something else of the same name. */
  private static final class Impostor implements Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** The login that the record shows. */
  private Login stored() {
    FakeStore stranger = tomcats.stranger();
    ClaimOutcome found = stranger.claim(stranger.nextSerial(), one.calls.key());
    return found.session().login();
  }

  @Test
  void the_record_names_the_user_after_one_save() throws Exception {
    int saves = one.store.count("save");
    assertAnswered(page(one, "login"));
    assertEquals(saves + 1, one.store.count("save"));
    assertEquals("ann", stored().principal());
    assertTrue(stored().isOfFramework());
  }

  @Test
  void the_container_knows_nobody_here_and_elsewhere() throws Exception {
    assertAnswered(page(one, "login"));
    assertEquals("null", page(one, "who").body());
    assertAnswered(page(two, "get"));
    assertNull(two.manager.findSession(cookie.substring(cookie.indexOf('=') + 1)).getPrincipal());
    assertNull(two.manager.findSession(cookie.substring(cookie.indexOf('=') + 1)).getAuthType());
  }

  @Test
  void who_logs_out_is_named_no_more() throws Exception {
    assertAnswered(page(one, "login"));
    assertAnswered(page(one, "leave"));
    assertTrue(stored().isNone());
  }

  @Test
  void another_tomcat_goes_on_naming_him() throws Exception {
    assertAnswered(page(one, "login"));
    assertAnswered(page(two, "set&value=plums"));
    assertEquals("ann", stored().principal());
  }

  @Test
  void the_session_at_the_provider_is_named_and_stays_so_elsewhere() throws Exception {
    assertAnswered(page(one, "oidc"));
    assertEquals("ann", stored().principal());
    assertEquals("7f3a", label(SessionDirectory.OIDC_SID));
    assertAnswered(page(two, "set&value=plums"));
    assertEquals("7f3a", label(SessionDirectory.OIDC_SID));
    assertAnswered(page(two, "another"));
    assertEquals("8b4c", label(SessionDirectory.OIDC_SID));
    assertAnswered(page(two, "leave"));
    assertEquals("", label(SessionDirectory.OIDC_SID));
  }

  @Test
  void providers_names_are_told_apart_and_may_be_long() throws Exception {
    assertAnswered(page(one, "oidc"));
    String session = label(SessionDirectory.OIDC_SESSION);
    assertEquals(SessionDirectory.forClient(ISSUER, CLIENT, "7f3a"), session);
    assertEquals(
        SessionDirectory.forClient(ISSUER, CLIENT, "ann-there"),
        label(SessionDirectory.OIDC_SUBJECT));
    for (String[] other :
        new String[][] {
          {"https://other.example", CLIENT, "7f3a"},
          {ISSUER, "bank", "7f3a"},
          {ISSUER + "s", "hop", "7f3a"},
          {ISSUER, CLIENT + "7", "f3a"}
        }) {
      assertNotEquals(SessionDirectory.forClient(other[0], other[1], other[2]), session);
    }
    assertAnswered(page(one, "lengthy"));
    assertEquals("", label(SessionDirectory.OIDC_SID));
    assertEquals(43, label(SessionDirectory.OIDC_SESSION).length());
  }

  @Test
  void of_several_clients_it_is_the_authorized_and_without_any_it_is_none() throws Exception {
    assertAnswered(page(one, "several"));
    assertEquals(
        SessionDirectory.forClient(ISSUER, CLIENT, "7f3a"), label(SessionDirectory.OIDC_SESSION));
    assertAnswered(page(one, "nobody"));
    assertEquals("", label(SessionDirectory.OIDC_SESSION));
    assertEquals("7f3a", label(SessionDirectory.OIDC_SID));
  }

  private String label(String name) {
    return stored().labels().getOrDefault(name, "");
  }

  @Test
  void who_has_no_session_there_is_named_all_the_same() throws Exception {
    for (String page : new String[] {"login", "without", "number"}) {
      assertAnswered(page(one, page));
      assertEquals("ann", stored().principal());
      assertEquals("", label(SessionDirectory.OIDC_SID));
    }
  }

  @Test
  void a_name_that_cannot_be_told_costs_no_save() throws Exception {
    for (String page : new String[] {"long", "broken", "other"}) {
      assertAnswered(page(one, page));
      assertTrue(stored().isNone());
    }
  }
}
