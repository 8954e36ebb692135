package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.List;
import javax.servlet.http.HttpSessionIdListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;

/** Commands that the store may have carried out although it never answered. */
class UnknownOutcomeTest extends TwoTomcats {

  private final List<String> oldIds = new ArrayList<>();
  private String cookie;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
    HttpSessionIdListener listener = (event, oldId) -> oldIds.add(oldId);
    ((StandardContext) one.context).addApplicationEventListener(listener);
  }

  private void assertFinished(Answer next) throws Exception {
    assertEquals("apples", next.body());
    assertNotNull(next.cookie());
    assertNotEquals(cookie, next.cookie());
    assertEquals("apples", one.get("/", next.cookie(), GET).body());
    assertEquals("apples", two.get("/", next.cookie(), GET).body());
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals(1, oldIds.size());
  }

  @Test
  void a_change_of_the_id_that_was_made_but_not_answered_is_finished_by_the_next_request()
      throws Exception {
    one.store.answerLost = "rename";
    Answer refused = one.get("/", cookie, (q, a) -> q.changeSessionId());
    assertEquals(503, refused.status());
    assertNull(refused.cookie());
    one.store.answerLost = null;
    assertFinished(one.get("/", cookie, GET));
  }

  @Test
  void a_change_of_the_id_that_was_not_made_is_made_by_the_next_request() throws Exception {
    one.store.savesFail = true;
    assertEquals(503, one.get("/", cookie, (q, a) -> q.changeSessionId()).status());
    one.store.savesFail = false;
    assertFinished(one.get("/", cookie, GET));
  }

  @Test
  void while_the_store_stays_silent_the_session_is_refused_and_not_replaced() throws Exception {
    one.store.answerLost = "rename";
    one.get("/", cookie, (q, a) -> q.changeSessionId());
    Answer still = one.get("/", cookie, GET);
    assertEquals(503, still.status());
    assertNull(still.cookie());
    one.store.answerLost = null;
    assertFinished(one.get("/", cookie, GET));
  }

  @Test
  void a_change_of_the_id_that_another_tomcat_overtook_leaves_the_session_its_id()
      throws Exception {
    one.store.savesFail = true;
    one.get("/", cookie, (q, a) -> q.changeSessionId());
    one.store.savesFail = false;
    assertEquals("apples", two.get("/", cookie, GET).body());
    Answer back = one.get("/", cookie, GET);
    assertEquals("apples", back.body());
    assertNull(back.cookie());
  }

  @Test
  void a_logout_that_was_made_but_not_answered_leaves_no_copy_that_is_trusted() throws Exception {
    one.store.answerLost = "remove";
    assertEquals(503, one.get("/", cookie, (q, a) -> q.getSession().invalidate()).status());
    one.store.answerLost = null;
    assertEquals("none", one.get("/", cookie, GET).body());
  }

  @Test
  void a_logout_that_was_not_made_leaves_the_session_as_the_store_has_it() throws Exception {
    one.store.savesFail = true;
    assertEquals(503, one.get("/", cookie, (q, a) -> q.getSession().invalidate()).status());
    one.store.savesFail = false;
    int checks = one.store.count("check");
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(checks + 1, one.store.count("check"));
  }

  @Test
  void a_logout_under_an_id_that_has_changed_elsewhere_is_refused() throws Exception {
    String[] renamed = new String[1];
    Answer refused =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              one.store.untrusted = true; // hears no pushes
              renamed[0] = two.get("/", cookie, (q2, a2) -> q2.changeSessionId()).cookie();
              q.getSession().invalidate();
            });
    assertEquals(503, refused.status());
    assertEquals("apples", two.get("/", renamed[0], GET).body());
  }
}
