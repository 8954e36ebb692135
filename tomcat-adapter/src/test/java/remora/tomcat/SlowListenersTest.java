package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionKey;

/** A listener of the end that takes its time costs nobody else anything. */
class SlowListenersTest extends ManyClients {

  /** Less than the table lets pass in one step, so that only a touch keeps the session alive. */
  private static final int IDLE_SECONDS = 6;

  private final CountDownLatch listens = new CountDownLatch(1);
  private final CountDownLatch released = new CountDownLatch(1);
  private final CountDownLatch ended = new CountDownLatch(2);

  /** Lets the store end two sessions whose listener does not come back. */
  @BeforeEach
  void blockTheListener() throws Exception {
    HttpSessionListener slow =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            listens.countDown();
            try {
              released.await(3 * PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (InterruptedException stopped) {
              Thread.currentThread().interrupt();
            }
            ended.countDown();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(slow);
    for (int i = 0; i < 2; i++) {
      Answer idle = one.get("/?page=set&value=idle", null);
      assertAnswered(idle);
      one.store.end(one.calls.key(), Push.Kind.EXPIRED);
    }
    awaitOpen(listens);
  }

  @AfterEach
  void release() {
    released.countDown();
  }

  @Test
  void a_session_in_use_is_touched_while_a_listener_of_another_blocks() throws Exception {
    pages.page("limit", (q, a) -> q.getSession().setMaxInactiveInterval(IDLE_SECONDS));
    assertAnswered(page(one, "limit"));
    SessionKey key = one.calls.key();
    for (int i = 0; i < 4; i++) {
      int before = one.store.touched(key);
      assertEquals("apples", shown(one, "cart"));
      Conditions.await("touch", () -> one.store.touched(key) > before);
      tomcats.table.passTime(TimeUnit.SECONDS.toMillis(IDLE_SECONDS - 1));
    }
    assertEquals("apples", shown(one, "cart"));
  }

  @Test
  void a_change_outside_requests_is_saved_while_a_listener_of_another_blocks() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    pages.page("keep", (q, a) -> kept[0] = q.getSession());
    assertAnswered(page(one, "keep"));
    kept[0].setAttribute("cart", "late");
    Conditions.await("save", () -> "late".equals(shown(two, "cart")));
  }

  @Test
  void a_session_moves_and_ends_while_a_listener_of_another_blocks() throws Exception {
    assertEquals("apples", shown(two, "cart"));
    assertEquals("apples", shown(one, "cart"));
    assertAnswered(page(two, "logout"));
    assertEquals("none", shown(one, "cart"));
  }

  @Test
  void every_end_is_heard_once_the_listener_comes_back() throws Exception {
    assertEquals(2, ended.getCount());
    released.countDown();
    awaitOpen(ended);
  }
}
