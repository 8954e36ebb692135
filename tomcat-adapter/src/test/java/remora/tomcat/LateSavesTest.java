package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.servlet.http.HttpSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.FakeStore;

/** Changes that are made after the session, or only the answer, has gone elsewhere. */
class LateSavesTest extends ManyClients {

  /** Opens when this Tomcat has heard that the next click took the session. */
  private volatile CountDownLatch nextClick;

  private volatile CountDownLatch flushed;

  /** Opens when the next click is served, which must not be before the one before has ended. */
  private volatile CountDownLatch nextPage;

  /** Longer than a claim takes that nobody holds back, in milliseconds. */
  private static final int LATE_MILLIS = 100;

  /** Counts its clicks after it has shown them. */
  @BeforeEach
  void countLate() {
    pages.page(
        "click",
        (q, a) -> {
          HttpSession session = q.getSession();
          Object clicks = session.getAttribute("n");
          nextPage.countDown();
          nextPage = new CountDownLatch(1);
          CountDownLatch page = nextPage;
          CountDownLatch next = nextClick;
          a.getWriter().print("n=" + clicks);
          a.flushBuffer();
          flushed.countDown();
          awaitOpen(next);
          page.await(LATE_MILLIS, TimeUnit.MILLISECONDS);
          session.setAttribute("n", clicks == null ? 1 : (Integer) clicks + 1);
        });
  }

  /** The next click comes as soon as the answer to the one before is seen. */
  private List<Future<Answer>> click(Node... nodes) throws Exception {
    List<Future<Answer>> answers = new ArrayList<>();
    nextPage = new CountDownLatch(1);
    for (int i = 0; i < nodes.length; i++) {
      boolean goesElsewhere = i + 1 < nodes.length && nodes[i + 1] != nodes[i];
      CountDownLatch taken = new CountDownLatch(goesElsewhere ? 1 : 0);
      nextClick = taken;
      flushed = new CountDownLatch(1);
      answers.add(ask(nodes[i], "click"));
      awaitOpen(flushed);
      if (goesElsewhere) {
        nodes[i].calls.afterPush(taken::countDown);
      } else {
        answered(answers.get(i)); // a page that races with itself is the application's own
      }
    }
    return answers;
  }

  private void assertNothingLost(Node... clicks) throws Exception {
    for (Future<Answer> answer : click(clicks)) {
      assertAnswered(answered(answer));
      assertTrue(answered(answer).text.endsWith("0\r\n\r\n"), "cut: " + answered(answer).text);
    }
    assertEquals("" + clicks.length, shown(one, "n"));
    assertEquals("" + clicks.length, shown(two, "n"));
  }

  @Test
  void three_clicks_of_which_the_last_is_answered_elsewhere_lose_nothing() throws Exception {
    assertNothingLost(one, one, two);
  }

  @Test
  void clicks_that_alternate_between_two_tomcats_lose_nothing() throws Exception {
    assertNothingLost(two, one, two, one, two, one);
  }

  /** A request that goes on while the session has a new owner. */
  private Answer lateAfter(Node node, StoreCalls.Step elsewhere, String name, String value)
      throws Exception {
    pages.page(
        "late",
        (q, a) -> {
          HttpSession session = q.getSession();
          elsewhere.run();
          session.setAttribute(name, value);
        });
    return answered(ask(node, "late"));
  }

  @Test
  void a_late_save_merges_and_does_not_take_the_session_back() throws Exception {
    Answer late =
        lateAfter(one, () -> assertAnswered(page(two, "set&name=theirs&value=2")), "mine", "1");
    assertAnswered(late);
    assertEquals("1", shown(two, "mine"));
    int claims = two.store.count("claim");
    assertEquals("2", shown(two, "theirs"));
    assertEquals("1", shown(two, "mine"));
    assertEquals(claims, two.store.count("claim"), "the second Tomcat owns it throughout");
  }

  @Test
  void a_late_save_after_the_handover_is_seen_by_the_next_request_elsewhere() throws Exception {
    tomcats.table.acknowledgedWithinMillis = 0; // the claim is answered at once
    Answer late = lateAfter(one, () -> assertEquals("apples", shown(two, "cart")), "cart", "late");
    assertAnswered(late);
    assertEquals("late", shown(two, "cart"));
    assertEquals("late", shown(one, "cart"));
  }

  @Test
  void a_late_save_from_an_older_ownership_than_the_last_fails() throws Exception {
    FakeStore stranger = tomcats.stranger();
    Answer late =
        lateAfter(
            one,
            () -> {
              assertEquals("apples", shown(two, "cart"));
              stranger.claim(stranger.nextSerial(), one.calls.key());
            },
            "mine",
            "1");
    assertRefused(late, "certain");
    assertEquals("null", shown(two, "mine"));
  }

  @Test
  void a_late_save_of_what_was_changed_elsewhere_is_refused() throws Exception {
    Answer late =
        lateAfter(one, () -> assertAnswered(page(two, "set&value=there")), "cart", "here");
    assertRefused(late, "certain");
    assertEquals("there", shown(one, "cart"));
  }

  @Test
  void a_late_save_of_what_was_changed_elsewhere_overwrites_where_that_is_wished()
      throws Exception {
    Node third = startWith("onConflict", "overwrite");
    Answer late =
        lateAfter(third, () -> assertAnswered(page(two, "set&value=there")), "cart", "here");
    assertAnswered(late);
    assertEquals("here", shown(two, "cart"));
    assertEquals("here", shown(third, "cart"));
  }

  @Test
  void a_change_after_the_flush_that_conflicts_cuts_the_answer() throws Exception {
    pages.page(
        "flushes",
        (q, a) -> {
          HttpSession session = q.getSession();
          a.getWriter().print("early");
          a.flushBuffer();
          assertAnswered(page(two, "set&value=there"));
          session.setAttribute("cart", "here");
        });
    Answer answer = answered(ask(one, "flushes"));
    assertEquals(200, answer.status());
    assertFalse(answer.text.endsWith("0\r\n\r\n"), "a whole answer: " + answer.text);
    assertEquals("there", shown(two, "cart"));
  }

  @Test
  void a_change_by_a_thread_after_the_answer_is_stored_although_the_session_moved()
      throws Exception {
    HttpSession[] kept = new HttpSession[1];
    pages.page("keep", (q, a) -> kept[0] = q.getSession());
    assertAnswered(page(one, "keep"));
    assertEquals("apples", shown(two, "cart"));
    kept[0].setAttribute("mine", "late");
    Conditions.await("late save", () -> "late".equals(shown(two, "mine")));
    int claims = two.store.count("claim");
    assertEquals("apples", shown(two, "cart"));
    assertEquals(claims, two.store.count("claim"));
  }

  @Test
  void no_copy_is_shown_unasked_after_the_claim() throws Exception {
    int[] asked = new int[1];
    pages.page("pears", (q, a) -> q.getSession().setAttribute("cart", "pears"));
    two.calls.beforeAnswer(
        "claim",
        () -> {
          int before = one.store.countAll();
          shown(one, "cart");
          asked[0] = one.store.countAll() - before;
        });
    assertAnswered(page(two, "pears"));
    assertTrue(asked[0] > 0, "the old copy was shown unasked");
    assertEquals("pears", shown(one, "cart"));
  }

  @Test
  void a_long_request_does_not_hold_the_session_back() throws Exception {
    CountDownLatch runs = new CountDownLatch(1);
    CountDownLatch ends = new CountDownLatch(1);
    pages.page(
        "long",
        (q, a) -> {
          q.getSession().getAttribute("cart");
          runs.countDown();
          awaitOpen(ends);
          a.getWriter().print("whole");
        });
    Future<Answer> slow = ask(one, "long");
    awaitOpen(runs);
    assertEquals("apples", shown(two, "cart"));
    assertAnswered(page(two, "set&value=pears"));
    ends.countDown();
    assertEquals("whole", answered(slow).body());
    assertEquals("pears", shown(one, "cart"));
  }
}
