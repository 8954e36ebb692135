package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import javax.servlet.DispatcherType;
import javax.servlet.http.HttpServletRequest;
import org.apache.tomcat.util.IntrospectionUtils;
import org.apache.tomcat.util.descriptor.web.ErrorPage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.context.SecurityContext;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;

/** A user has no more sessions than the application allows, on all Tomcats together. */
class SessionLimitTest {

  private static final String CONTEXT = "SPRING_SECURITY_CONTEXT";

  /** A framework's login of ann. */
  private static final class Ann implements SecurityContext, Authentication {
    private static final long serialVersionUID = 1L;

    @Override
    public Authentication getAuthentication() {
      return this;
    }

    @Override
    public Object getPrincipal() {
      return getName();
    }

    @Override
    public String getName() {
      return "ann";
    }
  }

  private static void logIn(HttpServletRequest request) {
    request.getSession().setAttribute(CONTEXT, new Ann());
  }

  private static final Work LOGIN =
      (q, a) -> {
        if (q.getDispatcherType() == DispatcherType.ERROR) {
          a.getWriter().print("sorry for " + a.getStatus());
          return;
        }
        logIn(q);
        a.sendRedirect("/welcome");
      };

  private static final Work WHO =
      (q, a) ->
          a.getWriter()
              .print(
                  q.getSession(false) == null
                      ? "none"
                      : q.getSession(false).getAttribute(CONTEXT) == null ? "nobody" : "ann");

  private Tomcats tomcats;

  @BeforeEach
  void prepare() throws Exception {
    tomcats = new Tomcats();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private Node start(String name, String then) throws Exception {
    return tomcats.start(
        name,
        null,
        node -> {
          assertTrue(IntrospectionUtils.setProperty(node.manager, "sessionLimit", "2"));
          assertTrue(IntrospectionUtils.setProperty(node.manager, "onSessionLimit", then));
          ErrorPage page = new ErrorPage();
          page.setErrorCode(403);
          page.setLocation("/oops");
          node.context.addErrorPage(page);
        });
  }

  private static String loggedIn(Node node) throws Exception {
    Answer answer = node.get("/", null, LOGIN);
    assertEquals(302, answer.status(), answer.text);
    return answer.cookie();
  }

  private static void assertForbidden(Answer answer, String body) {
    assertEquals(403, answer.status(), answer.text);
    assertEquals(body, answer.body());
    for (String header : new String[] {"Set-Cookie", "Location", "Retry-After", "Remora-Effect"}) {
      assertNull(answer.header(header), answer.text);
    }
  }

  @Test
  void the_oldest_sessions_end_before_a_login_is_answered() throws Exception {
    Node one = start("one", "end");
    Node two = start("two", "end");
    String first = loggedIn(one);
    String second = loggedIn(two);
    assertEquals("ann", one.get("/", first, WHO).body());
    String third = loggedIn(one);
    assertEquals("none", one.get("/", first, WHO).body(), "its own Tomcat's near copy");
    String fourth = loggedIn(one);
    assertEquals("none", two.get("/", second, WHO).body(), "another Tomcat's near copy");
    assertEquals("ann", one.get("/", third, WHO).body());
    assertEquals("ann", two.get("/", fourth, WHO).body());
  }

  @Test
  void a_refused_login_gets_the_error_page_and_its_session_goes_on_as_it_was() throws Exception {
    Node one = start("one", "refuse");
    Node two = start("two", "refuse");
    String first = loggedIn(one);
    loggedIn(two);
    String cart = two.get("/", null, TwoTomcats.SET).cookie();
    assertForbidden(two.get("/", cart, LOGIN), "sorry for 403");
    assertEquals("nobody", two.get("/", cart, WHO).body());
    assertEquals("apples", one.get("/", cart, TwoTomcats.GET).body());
    assertEquals("nobody", one.get("/", cart, WHO).body());
    assertEquals("ann", two.get("/", first, WHO).body());

    one.get("/", first, (q, a) -> q.getSession().invalidate());
    assertEquals(302, two.get("/", cart, LOGIN).status(), "there is room by now");
    assertEquals("ann", one.get("/", cart, WHO).body());
    assertEquals("apples", one.get("/", cart, TwoTomcats.GET).body());
  }

  @Test
  void a_refused_login_that_changed_the_id_goes_on_under_the_new_one() throws Exception {
    Node one = start("one", "refuse");
    loggedIn(one);
    loggedIn(one);
    String cart = one.get("/", null, TwoTomcats.SET).cookie();
    Work rotates =
        (q, a) -> {
          if (q.getDispatcherType() != DispatcherType.ERROR) {
            q.changeSessionId();
          }
          LOGIN.serve(q, a);
        };
    Answer refused = one.get("/", cart, rotates);
    assertEquals(403, refused.status(), refused.text);
    String rotated = refused.cookie();
    assertNotEquals(cart, rotated);
    assertEquals("apples", one.get("/", rotated, TwoTomcats.GET).body());
    assertEquals("nobody", one.get("/", rotated, WHO).body());
    assertEquals("none", one.get("/", cart, WHO).body());
  }

  @Test
  void a_refused_login_begins_no_session_and_shows_nothing_that_was_written() throws Exception {
    Node one = start("one", "refuse");
    loggedIn(one);
    loggedIn(one);
    assertForbidden(one.get("/", null, LOGIN), "sorry for 403");
    Work flushes =
        (q, a) -> {
          logIn(q);
          a.getWriter().print("welcome");
          a.flushBuffer();
        };
    Answer answer = one.get("/", null, flushes);
    assertForbidden(answer, "");
    assertFalse(answer.text.contains("welcome"), answer.text);
  }

  @Test
  void who_is_logged_in_already_is_not_asked_again() throws Exception {
    Node one = start("one", "refuse");
    String first = loggedIn(one);
    loggedIn(one);
    assertEquals(302, one.get("/", first, LOGIN).status());
  }

  @Test
  void a_limit_out_of_range_and_an_unknown_word_are_said_at_the_start() {
    ManagerOptions options = new ManagerOptions();
    assertNull(options.limit());
    options.sessionLimit = 1_001;
    assertThrows(IllegalArgumentException.class, options::limit);
    options.sessionLimit = 3;
    assertEquals(3, options.limit().sessions());
    assertTrue(options.limit().ends());
    options.onSessionLimit = "refuse";
    assertFalse(options.limit().ends());
    options.onSessionLimit = "evict";
    assertThrows(IllegalArgumentException.class, options::limit);
  }
}
