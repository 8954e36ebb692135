package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/**
 * With {@code onStoreLoss="serve"}, the default: a Tomcat whose store is away serves the sessions
 * that it owned and new ones, and hands over in order what it owes when the store is back.
 */
class StoreAwayTest extends ManyClients {

  @BeforeEach
  void rotate() {
    pages.page("rotate", (q, a) -> q.changeSessionId());
    pages.page("ran", (q, a) -> a.getWriter().print("ran"));
  }

  /** What the first Tomcat told the store since a count of its calls, by name. */
  private List<String> told(int since) {
    List<String> names = one.calls.changes();
    return names.subList(since, names.size());
  }

  private void awaitShownElsewhere(String value) throws Exception {
    Conditions.await("handover of " + value, () -> value.equals(shown(two, "cart")));
  }

  // ---- While it is away

  @Test
  void own_sessions_are_read_and_changed() throws Exception {
    away(one);
    assertEquals("apples", shown(one, "cart"));
    assertAnswered(page(one, "set&value=pears"));
    assertEquals("pears", shown(one, "cart"));
  }

  @Test
  void new_sessions_are_made_and_changed() throws Exception {
    away(one);
    Answer first = one.get("/?page=set&value=plums", null);
    assertAnswered(first);
    cookie = first.cookie();
    assertNotNull(cookie);
    assertEquals("plums", shown(one, "cart"));
    assertAnswered(page(one, "set&value=pears"));
    assertEquals("pears", shown(one, "cart"));
  }

  @Test
  void sessions_of_others_are_refused_with_effect_none() throws Exception {
    String others = two.get("/?page=set&value=theirs", null).cookie();
    away(one);
    assertRefused(one.get("/?page=ran", others), "none");
    assertEquals("theirs", two.get("/?page=get", others).body());
  }

  @Test
  void a_session_that_went_elsewhere_before_is_refused_with_effect_none() throws Exception {
    assertEquals("apples", shown(two, "cart"));
    away(one);
    assertRefused(page(one, "ran"), "none");
  }

  @Test
  void a_session_is_not_served_unasked_whose_stream_ended_across_a_pause() throws Exception {
    one.store.stand(StoreState.Kind.AWAY, true);
    assertRefused(page(one, "ran"), "none");
  }

  @Test
  void a_session_is_served_on_after_a_pause_in_an_outage() throws Exception {
    away(one);
    one.pause();
    assertEquals("apples", shown(one, "cart"));
    assertAnswered(page(one, "set&value=pears"));
    one.pause();
    assertEquals("pears", shown(one, "cart"));
  }

  @Test
  void a_request_that_waits_when_the_store_goes_away_is_served() throws Exception {
    CountDownLatch silence = new CountDownLatch(1);
    one.store.silence = silence;
    Future<Answer> waits = ask(one, "set&value=pears");
    Conditions.await("save", () -> one.calls.all("save").size() == 2);
    away(one);
    one.store.silence = null;
    silence.countDown();
    assertAnswered(answered(waits));
    assertEquals("pears", shown(one, "cart"));
    back(one);
    awaitShownElsewhere("pears");
  }

  @Test
  void a_look_up_that_waits_when_the_store_goes_away_is_served() throws Exception {
    one.store.untrusted = true;
    one.calls.before("check", this::goesAwayAndSaysNothing);
    assertEquals("apples", shown(one, "cart"));
  }

  @Test
  void an_answer_that_waits_for_its_copy_when_the_store_goes_away_is_served() throws Exception {
    pages.page(
        "doubt",
        (q, a) -> {
          a.getWriter().print(q.getSession().getAttribute("cart"));
          one.store.untrusted = true;
          one.calls.before("check", this::goesAwayAndSaysNothing);
        });
    assertEquals("apples", page(one, "doubt").body());
  }

  @Test
  void a_logout_is_true_here_at_once() throws Exception {
    away(one);
    assertAnswered(page(one, "logout"));
    assertEquals("none", shown(one, "cart"));
  }

  @Test
  void it_is_said_once_and_so_is_the_return() throws Exception {
    try (LogLines log = new LogLines()) {
      away(one);
      for (int i = 0; i < 5; i++) {
        assertAnswered(page(one, "set&value=pears" + i));
      }
      assertEquals(1, log.saying("away").size(), "" + log.saying("store"));
      back(one);
      awaitShownElsewhere("pears4");
    }
  }

  @Test
  void a_new_session_that_nobody_uses_ends_here_and_leaves_nothing_to_hand_over() throws Exception {
    CountDownLatch destroyed = new CountDownLatch(1);
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            event.getSession().setAttribute("late", "1");
            destroyed.countDown();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    away(one);
    String idle = one.get("/?page=set&value=plums", null).cookie();
    one.passTime(TimeUnit.HOURS.toSeconds(1));
    one.manager.processExpires();
    awaitOpen(destroyed);
    int saves = one.calls.all("save").size();
    int told = one.calls.changes().size();
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    awaitShownElsewhere("pears");
    // A try that comes before the store has a leader again is made once more.
    assertEquals(Collections.singleton("save"), new HashSet<>(told(told)));
    List<StoreCalls.Call> saved = one.calls.all("save");
    for (StoreCalls.Call save : saved.subList(saves, saved.size())) {
      assertEquals(one.calls.key(), save.argument(SessionKey.class));
    }
    assertEquals(0, one.manager.getOwingSessions());
    assertEquals("none", two.get("/?page=get", idle).body());
  }

  // ---- When it is back

  @Test
  void changes_are_handed_over() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    assertAnswered(page(one, "set&name=user&value=ann"));
    back(one);
    awaitShownElsewhere("pears");
    assertEquals("ann", shown(two, "user"));
  }

  @Test
  void a_new_session_is_handed_over() throws Exception {
    away(one);
    cookie = one.get("/?page=set&value=plums", null).cookie();
    back(one);
    assertEquals("plums", shown(one, "cart"), "its request hands it over first");
    assertEquals("plums", shown(two, "cart"));
  }

  @Test
  void the_next_request_of_the_session_hands_over_first() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    assertEquals("pears", shown(one, "cart"));
    assertEquals("pears", shown(two, "cart"));
  }

  @Test
  void another_id_is_handed_over_before_what_was_changed_under_it() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    Answer rotated = page(one, "rotate");
    assertAnswered(rotated);
    assertNotNull(rotated.cookie());
    assertNotEquals(cookie, rotated.cookie());
    String before = cookie;
    cookie = rotated.cookie();
    assertAnswered(page(one, "set&name=user&value=ann"));
    int since = one.calls.changes().size();
    back(one);
    assertEquals("pears", shown(one, "cart"));
    List<String> told = told(since);
    assertTrue(told.indexOf("rename") >= 0, "" + told);
    assertTrue(told.indexOf("rename") < told.lastIndexOf("save"), "" + told);
    assertEquals("pears", shown(two, "cart"));
    assertEquals("ann", shown(two, "user"));
    assertEquals("none", two.get("/?page=get", before).body());
  }

  @Test
  void a_logout_is_handed_over() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    assertAnswered(page(one, "logout"));
    back(one);
    Conditions.await("removal", () -> two.get("/?page=get", cookie).body().equals("none"));
    assertEquals("none", shown(one, "cart"));
  }

  private void assertRepeated(StoreCalls.Step arrange) throws Exception {
    int saves = one.calls.all("save").size();
    arrange.run();
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    assertEquals("pears", shown(one, "cart"));
    List<Long> serials =
        one.calls.all("save").stream()
            .skip(saves)
            .map(call -> call.argument(Long.class))
            .collect(Collectors.toList());
    assertTrue(serials.size() >= 2, "it was not repeated: " + serials);
    assertEquals(serials.get(0), serials.get(1));
    assertEquals("pears", shown(two, "cart"));
  }

  private void goesAwayAndSaysNothing() {
    away(one);
    throw new StoreUnavailableException("as asked");
  }

  @Test
  void a_save_that_was_made_but_not_answered_is_repeated_under_its_own_serial() throws Exception {
    assertRepeated(() -> one.calls.beforeAnswer("save", this::goesAwayAndSaysNothing));
  }

  @Test
  void a_save_that_was_not_made_is_repeated_under_its_own_serial() throws Exception {
    assertRepeated(() -> one.calls.before("save", this::goesAwayAndSaysNothing));
  }

  private void assertRenamed(StoreCalls.Step arrange) throws Exception {
    arrange.run();
    Answer rotated = page(one, "rotate");
    assertAnswered(rotated);
    String before = cookie;
    cookie = rotated.cookie();
    assertNotEquals(before, cookie);
    assertEquals("apples", shown(one, "cart"), "it is served under its new id");
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    assertEquals("pears", shown(one, "cart"));
    assertEquals("pears", shown(two, "cart"));
    assertEquals("none", two.get("/?page=get", before).body());
    assertEquals(
        1,
        one.calls.all("rename").stream().map(call -> call.argument(Long.class)).distinct().count(),
        "it is repeated under its own serial");
  }

  @Test
  void a_change_of_the_id_that_was_made_but_not_answered_when_the_store_went_stands()
      throws Exception {
    assertRenamed(() -> one.calls.beforeAnswer("rename", this::goesAwayAndSaysNothing));
  }

  @Test
  void a_change_of_the_id_that_was_not_made_when_the_store_went_stands() throws Exception {
    assertRenamed(() -> one.calls.before("rename", this::goesAwayAndSaysNothing));
  }

  private void assertEnded(StoreCalls.Step arrange) throws Exception {
    arrange.run();
    assertAnswered(page(one, "logout"));
    assertEquals("none", shown(one, "cart"));
    back(one);
    Conditions.await("removal", () -> two.get("/?page=get", cookie).body().equals("none"));
    Conditions.await("the end of the debt", () -> one.manager.getOwingSessions() == 0);
    assertEquals("none", shown(one, "cart"));
  }

  @Test
  void a_logout_that_was_made_but_not_answered_when_the_store_went_stands() throws Exception {
    assertEnded(() -> one.calls.beforeAnswer("remove", this::goesAwayAndSaysNothing));
  }

  @Test
  void a_logout_that_was_not_made_when_the_store_went_stands() throws Exception {
    assertEnded(() -> one.calls.before("remove", this::goesAwayAndSaysNothing));
  }

  @Test
  void a_removal_of_unknown_outcome_is_repeated_under_its_own_serial() throws Exception {
    one.store.answerLost = "remove";
    page(one, "logout");
    one.store.answerLost = null;
    Conditions.await("end", () -> page(one, "get").body().equals("none"));
    Conditions.await("end elsewhere", () -> page(two, "get").body().equals("none"));
    long serials =
        one.calls.all("remove").stream().map(call -> call.argument(Long.class)).distinct().count();
    assertEquals(1, serials);
  }

  // ---- When somebody else took it meanwhile

  @Test
  void changes_come_late_where_somebody_took_the_session() throws Exception {
    away(one);
    assertAnswered(page(one, "set&name=mine&value=1"));
    assertAnswered(page(two, "set&name=theirs&value=2"));
    back(one);
    Conditions.await("late save", () -> "1".equals(shown(two, "mine")));
    assertEquals("2", shown(two, "theirs"));
    assertEquals("2", shown(one, "theirs"));
    assertEquals("1", shown(one, "mine"));
  }

  @Test
  void what_both_changed_is_theirs() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=here"));
    assertAnswered(page(two, "set&value=there"));
    back(one);
    Conditions.await("end of the debt", () -> "there".equals(page(one, "get").body()));
    assertEquals("there", shown(two, "cart"));
  }

  @Test
  void another_id_becomes_a_session_of_its_own_where_somebody_took_the_old_one() throws Exception {
    away(one);
    assertAnswered(page(one, "set&name=mine&value=1"));
    Answer rotated = page(one, "rotate");
    assertAnswered(rotated);
    assertAnswered(page(two, "set&name=theirs&value=2"));
    String before = cookie;
    cookie = rotated.cookie();
    back(one);
    assertEquals("1", shown(one, "mine"));
    assertEquals("1", shown(two, "mine"));
    assertEquals("apples", shown(two, "cart"));
    assertEquals("null", shown(two, "theirs"));
    cookie = before;
    assertEquals("2", shown(two, "theirs"));
    assertEquals("null", shown(two, "mine"));
  }

  @Test
  void a_logout_ends_it_also_where_somebody_took_the_session() throws Exception {
    away(one);
    assertAnswered(page(one, "logout"));
    assertAnswered(page(two, "set&name=theirs&value=2"));
    back(one);
    Conditions.await("removal", () -> two.get("/?page=get", cookie).body().equals("none"));
    assertEquals("none", shown(one, "cart"));
  }

  @Test
  void a_logout_does_not_end_another_life_of_the_id() throws Exception {
    away(one);
    assertAnswered(page(one, "logout"));
    assertAnswered(page(two, "logout"));
    String id = cookie.substring(cookie.indexOf('=') + 1);
    pages.page(
        "again", (q, a) -> two.manager.createSession(id).getSession().setAttribute("cart", "new"));
    assertAnswered(two.get("/?page=again", null));
    back(one);
    Conditions.await("handover", () -> one.calls.all("remove").size() > 0);
    assertEquals("new", shown(two, "cart"));
  }

  @Test
  void an_eviction_waits_for_what_is_owed() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    assertEquals("pears", shown(two, "cart"), "the first that the next owner sees");
  }

  @Test
  void what_is_owed_is_handed_over_by_a_stop() throws Exception {
    away(one);
    assertAnswered(page(one, "set&value=pears"));
    back(one);
    one.tomcat.stop();
    assertEquals("pears", shown(two, "cart"));
    FakeStore stranger = tomcats.stranger();
    ClaimOutcome found = stranger.claim(stranger.nextSerial(), one.calls.key());
    assertEquals(ClaimOutcome.Kind.CLAIMED, found.kind());
  }

  // ---- Where that is not wished

  @Test
  void with_refuse_every_request_of_a_session_is_refused_with_effect_none() throws Exception {
    Node third = tomcats.start("third", null, node -> node.manager.setOnStoreLoss("refuse"));
    third.work = pages;
    assertEquals("apples", shown(third, "cart"));
    away(third);
    assertRefused(page(third, "ran"), "none");
    assertEquals("ran", third.get("/?page=ran", null).body());
    back(third);
    Conditions.await("return", () -> page(third, "get").status() == 200);
    assertEquals("apples", shown(third, "cart"));
  }

  @Test
  void what_is_not_known_as_a_mode_is_said_at_the_start() throws Exception {
    Node third = tomcats.start("third", null, node -> node.manager.setOnStoreLoss("panic"));
    assertEquals(false, third.context.getState().isAvailable());
  }
}
