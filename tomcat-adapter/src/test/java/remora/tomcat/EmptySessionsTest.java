package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.Session;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.realm.GenericPrincipal;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.StoredSession;

/** Visits without content, crawlers for one, leave no record; the first content makes one. */
class EmptySessionsTest extends ManyClients {

  /** The idle limit of these applications, in seconds. */
  private static final int IDLE_SECONDS = 1800;

  private final AtomicInteger created = new AtomicInteger();
  private final AtomicInteger destroyed = new AtomicInteger();

  @BeforeEach
  void visit() {
    pages.page("visit", (q, a) -> a.getWriter().print(q.getSession().isNew()));
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionCreated(HttpSessionEvent event) {
            created.incrementAndGet();
          }

          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            destroyed.incrementAndGet();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
  }

  /** A visitor's first request; from then on the cookie of this test. */
  private void comes() throws Exception {
    Answer first = one.get("/?page=visit", null);
    assertAnswered(first);
    assertEquals("true", first.body());
    cookie = first.cookie();
    assertNotNull(cookie);
  }

  @Test
  void visits_ask_the_store_nothing_and_stay_one_session() throws Exception {
    int asked = one.store.countAll();
    comes();
    for (int i = 0; i < 3; i++) {
      assertEquals("false", page(one, "visit").body());
    }
    assertEquals(asked, one.store.countAll());
    assertEquals(1, created.get());
  }

  @Test
  void the_first_content_makes_a_record_of_the_sessions_age() throws Exception {
    List<Long> ages = new ArrayList<>();
    pages.page("age", (q, a) -> ages.add(q.getSession().getCreationTime()));
    comes();
    page(one, "age");
    assertAnswered(page(one, "set&value=pears"));
    SessionChange create = one.calls.last("save").argument(SessionChange.class);
    assertEquals(0, create.epoch());
    assertEquals(ages.get(0), create.createdMillis());
    assertEquals("pears", shown(two, "cart"));
    page(two, "age");
    assertEquals(ages.get(0), ages.get(1));
    assertEquals(1, created.get());
  }

  /** Whether a page makes a record of a session that had none. */
  private void assertStored(StoreCalls.Step content) throws Exception {
    comes();
    int saves = one.store.count("save");
    content.run();
    assertEquals(saves + 1, one.store.count("save"));
    FakeStore stranger = tomcats.stranger();
    ClaimOutcome found = stranger.claim(stranger.nextSerial(), one.calls.key());
    assertEquals(ClaimOutcome.Kind.CLAIMED, found.kind());
  }

  @Test
  void an_own_idle_limit_is_content() throws Exception {
    pages.page("limit", (q, a) -> q.getSession().setMaxInactiveInterval(60));
    assertStored(() -> assertAnswered(page(one, "limit")));
  }

  @Test
  void a_login_is_content() throws Exception {
    pages.page(
        "login",
        (q, a) ->
            one.manager
                .findSession(q.getSession().getId())
                .setPrincipal(new GenericPrincipal("ann", null, new ArrayList<>())));
    assertStored(() -> assertAnswered(page(one, "login")));
  }

  @Test
  void an_attribute_that_stays_here_is_content() throws Exception {
    pages.page("local", (q, a) -> q.getSession().setAttribute("local", new Object()));
    assertStored(() -> assertAnswered(page(one, "local")));
  }

  @Test
  void what_became_empty_again_keeps_its_record() throws Exception {
    pages.page("clear", (q, a) -> q.getSession().removeAttribute("cart"));
    comes();
    assertAnswered(page(one, "set&value=pears"));
    assertAnswered(page(one, "clear"));
    assertEquals("null", shown(two, "cart"));
    FakeStore stranger = tomcats.stranger();
    StoredSession record = stranger.claim(stranger.nextSerial(), one.calls.key()).session();
    assertTrue(record.attributes().isEmpty());
  }

  @Test
  void an_empty_session_ends_with_its_listeners_and_asks_nothing() throws Exception {
    comes();
    int asked = one.store.countAll();
    assertAnswered(page(one, "logout"));
    assertEquals(asked, one.store.countAll());
    assertEquals(1, destroyed.get());
    assertEquals("none", shown(one, "cart"));
  }

  /** The session of this test as if its last use had been at another time of the wall clock. */
  private void usedOnTheWall(long millis) throws Exception {
    Session session = one.manager.findSession(cookie.substring(cookie.indexOf('=') + 1));
    session.setCreationTime(millis);
  }

  @Test
  void an_empty_session_expires_here_with_its_listeners_and_asks_nothing() throws Exception {
    assertAnswered(page(one, "logout"));
    comes();
    int asked = one.store.countAll();
    int ended = destroyed.get();
    one.passTime(IDLE_SECONDS - 60);
    assertEquals("false", page(one, "visit").body());
    usedOnTheWall(System.currentTimeMillis() + TimeUnit.DAYS.toMillis(1));
    one.passTime(IDLE_SECONDS + 60); // review gives a touch that is on its way some seconds more
    one.manager.processExpires();
    Conditions.await("end", () -> destroyed.get() == ended + 1);
    assertEquals(asked, one.store.countAll(), "calls of the store");
    assertEquals("none", shown(one, "cart"));
    assertEquals(0, one.manager.getActiveSessions());
  }

  @Test
  void a_wall_clock_that_is_set_ends_no_empty_session() throws Exception {
    comes();
    String stays = cookie;
    for (int review = 1;
        review <= 2;
        review++) { // when the second has ended one, the first is over
      int ended = destroyed.get();
      comes();
      one.passTime(IDLE_SECONDS + 60);
      cookie = stays;
      assertEquals("false", page(one, "visit").body());
      usedOnTheWall(System.currentTimeMillis() - TimeUnit.DAYS.toMillis(1));
      one.manager.processExpires();
      Conditions.await("end of the idle one", () -> destroyed.get() > ended);
    }
    assertEquals("false", page(one, "visit").body());
    assertEquals(2, destroyed.get());
  }

  @Test
  void an_empty_session_may_get_another_id() throws Exception {
    pages.page("rotate", (q, a) -> q.changeSessionId());
    comes();
    int asked = one.store.countAll();
    Answer rotated = page(one, "rotate");
    assertAnswered(rotated);
    assertEquals(asked, one.store.countAll());
    cookie = rotated.cookie();
    assertEquals("false", page(one, "visit").body());
  }

  @Test
  void empty_sessions_count_into_the_limit_of_this_tomcat() throws Exception {
    int sessions = one.manager.getActiveSessions();
    one.manager.setMaxActiveSessions(sessions + 1);
    comes();
    assertEquals(sessions + 1, one.manager.getActiveSessions());
    Answer tooMany = one.get("/?page=visit", null);
    assertEquals(500, tooMany.status(), tooMany.text);
    assertEquals(1, one.manager.getRejectedSessions());
  }

  @Test
  void a_first_change_that_only_a_thread_makes_after_the_answer_is_stored() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    pages.page("keep", (q, a) -> kept[0] = q.getSession());
    comes();
    assertAnswered(page(one, "keep"));
    kept[0].setAttribute("cart", "late");
    Conditions.await("save", () -> "late".equals(shown(two, "cart")));
  }

  @Test
  void every_session_has_a_record_where_that_is_wished() throws Exception {
    Node third = startWith("persistEmpty", "true");
    Answer first = third.get("/?page=visit", null);
    assertAnswered(first);
    assertEquals(1, third.store.count("save"));
    cookie = first.cookie();
    assertEquals("null", shown(two, "cart"));
  }
}
