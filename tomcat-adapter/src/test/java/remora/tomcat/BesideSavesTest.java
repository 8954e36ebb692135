package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import javax.servlet.http.HttpSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.store.StoreRefusedException;

/** Changes that are made while the session gets another id, moves, or leaves with its Tomcat. */
class BesideSavesTest extends ManyClients {

  private static final int REQUESTS = 12;

  private final CountDownLatch ready = new CountDownLatch(REQUESTS);
  private final CountDownLatch begins = new CountDownLatch(1);
  private final CountDownLatch changed = new CountDownLatch(REQUESTS);

  @BeforeEach
  void changeMeanwhile() {
    pages.page("rotate", (q, a) -> q.changeSessionId());
    pages.page(
        "change",
        (q, a) -> {
          HttpSession session = q.getSession();
          ready.countDown();
          awaitOpen(begins);
          session.setAttribute("n" + q.getParameter("n"), "changed");
          changed.countDown();
        });
  }

  private List<Future<Answer>> changes() throws Exception {
    List<Future<Answer>> changes = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      changes.add(ask(one, "change&n=" + i));
    }
    awaitOpen(ready);
    return changes;
  }

  private void assertAllStored(List<Future<Answer>> changes) throws Exception {
    for (Future<Answer> change : changes) {
      assertAnswered(answered(change));
    }
    for (int i = 0; i < REQUESTS; i++) {
      assertEquals("changed", shown(two, "n" + i));
      assertEquals("changed", shown(one, "n" + i));
    }
    assertEquals("apples", shown(two, "cart"));
  }

  private void changeNow() throws InterruptedException {
    begins.countDown();
    awaitOpen(changed);
  }

  @Test
  void changes_beside_another_id_are_stored_under_it() throws Exception {
    List<Future<Answer>> changes = changes();
    one.calls.before("rename", this::changeNow);
    Answer rotated = answered(ask(one, "rotate"));
    assertAnswered(rotated);
    assertNotNull(rotated.cookie());
    assertNotEquals(cookie, rotated.cookie());
    cookie = rotated.cookie();
    assertAllStored(changes);
  }

  @Test
  void changes_after_another_id_was_given_are_stored_under_it() throws Exception {
    List<Future<Answer>> changes = changes();
    one.calls.beforeAnswer("rename", this::changeNow);
    Answer rotated = answered(ask(one, "rotate"));
    assertAnswered(rotated);
    cookie = rotated.cookie();
    assertAllStored(changes);
  }

  @Test
  void changes_beside_another_id_that_is_refused_are_stored_under_the_old_one() throws Exception {
    List<Future<Answer>> changes = changes();
    one.calls.before(
        "rename",
        () -> {
          changeNow();
          throw new StoreRefusedException(StoreRefusedException.Reason.MALFORMED, "as asked");
        });
    Answer rotated = answered(ask(one, "rotate"));
    assertTrue(rotated.status() >= 500, rotated.text);
    assertAllStored(changes);
  }

  @Test
  void changes_beside_a_claim_elsewhere_are_stored() throws Exception {
    List<Future<Answer>> changes = changes();
    two.calls.before("claim", this::changeNow);
    assertEquals("apples", shown(two, "cart"));
    assertAllStored(changes);
  }

  @Test
  void changes_after_a_claim_elsewhere_are_stored() throws Exception {
    List<Future<Answer>> changes = changes();
    one.calls.afterPush(this::changeNow);
    assertEquals("apples", shown(two, "cart"));
    assertAllStored(changes);
  }

  @Test
  void changes_beside_one_save_are_stored_by_few_more() throws Exception {
    List<Future<Answer>> changes = changes();
    int saves = one.store.count("save");
    one.calls.before("save", this::changeNow);
    assertAnswered(page(one, "set&name=first&value=1"));
    for (Future<Answer> change : changes) {
      assertAnswered(answered(change));
    }
    int more = one.store.count("save") - saves;
    assertTrue(more <= 1 + REQUESTS / 2, more + " saves for what could share one");
    assertAllStored(changes);
  }

  @Test
  void what_is_answered_beside_a_stop_is_stored() throws Exception {
    List<Future<Answer>> changes = changes();
    one.calls.beforeAnswer("release", this::changeNow);
    Future<?> stop =
        clients.submit(
            () -> {
              one.tomcat.stop();
              return null;
            });
    Conditions.await("stop", stop::isDone);
    begins.countDown();
    for (int i = 0; i < REQUESTS; i++) {
      if (answered(changes.get(i)).status() == 200) {
        assertEquals("changed", shown(two, "n" + i));
      }
    }
    assertEquals("apples", shown(two, "cart"));
  }
}
