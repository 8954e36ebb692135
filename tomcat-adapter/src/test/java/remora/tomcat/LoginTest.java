package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.apache.catalina.authenticator.FormAuthenticator;
import org.apache.catalina.authenticator.SavedRequest;
import org.apache.tomcat.util.descriptor.web.LoginConfig;
import org.apache.tomcat.util.descriptor.web.SecurityCollection;
import org.apache.tomcat.util.descriptor.web.SecurityConstraint;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;

/** Logins by FORM whose Tomcat changes on the way. */
class LoginTest {

  private static final Work PAGE =
      (q, a) ->
          a.getWriter()
              .print(
                  q.getRequestURI()
                      + " of "
                      + q.getRemoteUser()
                      + " for "
                      + q.getSession().getMaxInactiveInterval());

  private static final String LOG_IN = "/j_security_check?j_username=ann&j_password=secret";

  /** Seconds that a login may take; the oldest Tomcats give it as long as the session. */
  private static final int LOGIN_SECONDS = shortensLogins() ? 120 : 1800;

  private Tomcats tomcats;
  private Node one;
  private Node two;

  private static boolean shortensLogins() {
    return Arrays.stream(SavedRequest.class.getMethods())
        .anyMatch(method -> method.getName().equals("getOriginalMaxInactiveInterval"));
  }

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    one = tomcats.start("one", null, LoginTest::protect);
    two = tomcats.start("two", null, LoginTest::protect);
    one.work = PAGE;
    two.work = PAGE;
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private static void protect(Node node) {
    node.tomcat.addUser("ann", "secret");
    node.tomcat.addRole("ann", "buyer");
    SecurityCollection pages = new SecurityCollection();
    pages.addPattern("/private/*");
    SecurityConstraint constraint = new SecurityConstraint();
    constraint.addAuthRole("buyer");
    constraint.addCollection(pages);
    node.context.addConstraint(constraint);
    node.context.addSecurityRole("buyer");
    node.context.setLoginConfig(new LoginConfig("FORM", null, "/login", "/error"));
    node.context.getPipeline().addValve(new FormAuthenticator());
    node.manager.setSessionAttributeNameFilter("cart"); // is about the application's attributes
  }

  @Test
  void a_user_whose_tomcat_changes_between_login_page_and_login_gets_the_page_and_the_idle_limit()
      throws Exception {
    Answer page = one.get("/private/orders", null);
    assertTrue(page.body().startsWith("/login of null for " + LOGIN_SECONDS), page.text);
    Answer login = two.ask("POST", LOG_IN, page.cookie());
    assertTrue(login.header("Location").endsWith("/private/orders"), login.text);
    String cookie = login.cookie() == null ? page.cookie() : login.cookie();
    Answer orders = two.get("/private/orders", cookie);
    assertEquals(200, orders.status(), orders.text);
    assertEquals("/private/orders of ann for 1800", orders.body());
    String rotated = orders.cookie() == null ? cookie : orders.cookie();
    assertNotEquals(page.cookie(), rotated);
    assertEquals("/private/orders of ann for 1800", one.get("/private/orders", rotated).body());
  }

  @Test
  void a_login_whose_new_id_is_not_answered_for_can_be_repeated() throws Exception {
    Answer page = one.get("/private/orders", null);
    one.store.answerLost = "rename";
    Answer login = one.ask("POST", LOG_IN, page.cookie());
    String cookie = page.cookie();
    if (login.status() != 503) { // Tomcat changes the id when the wanted page is asked for again
      login = one.get("/private/orders", cookie);
    }
    assertEquals(503, login.status(), login.text);
    one.store.answerLost = null;
    Answer again = one.get("/private/orders", cookie);
    String rotated = again.cookie();
    assertNotNull(rotated, again.text);
    assertTrue(again.body().startsWith("/login of null"), again.text);
    Answer second = one.ask("POST", LOG_IN, rotated);
    String last = second.cookie() == null ? rotated : second.cookie();
    assertEquals(302, second.status() == 303 ? 302 : second.status(), second.text);
    assertTrue(one.get("/private/orders", last).body().startsWith("/private/orders of ann"));
  }
}
