package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import javax.servlet.http.HttpSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoredAttribute;

/**
 * {@code mode="observe"}: sessions are Tomcat's own in every way, and the store learns of them
 * without any request's knowing.
 */
class ObserveTest extends ManyClients {

  private Node watching;

  @BeforeEach
  void startWatching() throws Exception {
    watching = startWith("mode", "observe");
    pages.page("list", (q, a) -> q.getSession().setAttribute("list", new ArrayList<String>()));
    pages.page("add", ObserveTest::add);
    pages.page("odd", (q, a) -> q.getSession().setAttribute("odd", new Object()));
    pages.page("rename", (q, a) -> q.changeSessionId());
    Answer first = watching.get("/?page=set&value=pears", null);
    assertAnswered(first);
    cookie = first.cookie();
  }

  @SuppressWarnings("unchecked")
  private static void add(
      javax.servlet.http.HttpServletRequest q, javax.servlet.http.HttpServletResponse a) {
    HttpSession session = q.getSession();
    ((List<String>) session.getAttribute("list")).add("one more");
  }

  private void awaitSaves(int count) throws Exception {
    Conditions.await("saves: " + count, () -> watching.calls.all("save").size() >= count);
  }

  /** Takes the record as a Tomcat does that does not only watch. */
  private ClaimOutcome taken(SessionKey key) {
    FakeStore stranger = tomcats.stranger();
    return stranger.claim(stranger.nextSerial(), key);
  }

  @Test
  void the_store_learns_what_a_session_holds() throws Exception {
    awaitSaves(1);
    Conditions.await(
        "the save has been answered", () -> watching.calls.last("save").outcome != null);
    List<String> names = new ArrayList<>();
    for (StoredAttribute attribute : taken(watching.calls.key()).session().attributes()) {
      names.add(attribute.name());
    }
    assertEquals(Collections.singletonList("cart"), names);
  }

  @Test
  void an_id_that_is_not_here_is_nobodys_without_a_question() throws Exception {
    Answer elsewhere = one.get("/?page=set&value=plums", null);
    cookie = elsewhere.cookie();
    awaitSaves(1);
    int asked = watching.calls.changes().size() + watching.calls.all("check").size();
    assertEquals("none", page(watching, "get").body());
    assertEquals(asked, watching.calls.changes().size() + watching.calls.all("check").size());
  }

  @Test
  void a_silent_store_costs_no_request_anything_and_is_counted() throws Exception {
    awaitSaves(1);
    away(watching);
    for (int i = 0; i < 3; i++) {
      assertAnswered(page(watching, "set&value=plums" + i));
    }
    assertEquals("plums2", shown(watching, "cart"));
    Conditions.await("something was dropped", () -> watching.manager.getDropped() > 0);
    back(watching);
    assertAnswered(page(watching, "set&value=figs"));
    int before = watching.calls.all("save").size();
    Conditions.await("it is told again", () -> watching.calls.all("save").size() >= before);
    assertEquals("figs", shown(watching, "cart"));
  }

  @Test
  void what_the_store_says_never_changes_a_session_here() throws Exception {
    awaitSaves(1);
    SessionKey key = watching.calls.key();
    Conditions.await("the record is there", () -> taken(key).kind() == ClaimOutcome.Kind.CLAIMED);
    assertEquals("pears", shown(watching, "cart"));
    assertAnswered(page(watching, "set&value=plums"));
    Conditions.await("the store refuses", () -> watching.manager.getRefusedAnswers() > 0);
    assertEquals("plums", shown(watching, "cart"));
  }

  @Test
  void a_logout_and_a_new_id_are_told_too() throws Exception {
    awaitSaves(1);
    SessionKey before = watching.calls.key();
    String old = cookie;
    Answer renamed = page(watching, "rename");
    assertAnswered(renamed);
    cookie = renamed.cookie();
    assertNotEquals(old, cookie);
    assertEquals("pears", shown(watching, "cart"));
    Conditions.await("the rename is told", () -> !watching.calls.all("rename").isEmpty());
    assertAnswered(page(watching, "logout"));
    assertEquals("none", page(watching, "get").body());
    Conditions.await("the end is told", () -> !watching.calls.all("remove").isEmpty());
    SessionKey after = watching.calls.last("remove").argument(SessionKey.class);
    assertNotEquals(before, after);
    Conditions.await("nobody gets it", () -> taken(after).kind() == ClaimOutcome.Kind.GONE);
  }

  @Test
  void what_would_stay_here_and_what_changes_in_place_is_counted() throws Exception {
    // Two requests in a row may share one look, and one save.
    awaitSaves(1);
    assertAnswered(page(watching, "list"));
    awaitSaves(2);
    assertAnswered(page(watching, "add"));
    Conditions.await("the list has changed", () -> watching.manager.getChangedInPlace() == 1);
    assertAnswered(page(watching, "odd"));
    Conditions.await("the odd value is met", () -> watching.manager.getLocalValues() == 1);
    assertEquals(0, watching.manager.getRefusedAnswers());
  }

  @Test
  void a_session_expires_by_this_tomcats_clock() throws Exception {
    pages.page("short", (q, a) -> q.getSession().setMaxInactiveInterval(1));
    assertAnswered(page(watching, "short"));
    Conditions.await(
        "it expires",
        () -> {
          watching.manager.processExpires();
          return watching.manager.getActiveSessions() == 0;
        });
    assertEquals("none", page(watching, "get").body());
  }

  @Test
  void requests_are_counted_so_that_a_stop_waits_for_them() throws Exception {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    pages.page(
        "wait",
        (q, a) -> {
          inside.countDown();
          awaitOpen(goOn);
        });
    Future<Answer> waiting = ask(watching, "wait");
    awaitOpen(inside);
    assertEquals(1, watching.manager.traffic().busy());
    goOn.countDown();
    assertAnswered(answered(waiting));
    Conditions.await("rest", () -> watching.manager.traffic().inFlight() == 0);
    assertEquals(0, watching.manager.traffic().busy());
  }

  @Test
  void nothing_of_it_stays_behind() throws Exception {
    watching.tomcat.stop();
    assertTrue(watching.manager.findSessions().length == 0);
    assertNull(watching.manager.getSession("nobody"));
  }
}
