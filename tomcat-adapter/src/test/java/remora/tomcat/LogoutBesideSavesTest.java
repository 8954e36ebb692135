package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.store.StoreRefusedException;

/** A user who logs out while other requests of the session are changing it. */
class LogoutBesideSavesTest extends ManyClients {

  private static final int REQUESTS = 24;

  private final CountDownLatch ready = new CountDownLatch(REQUESTS);
  private final CountDownLatch endBegins = new CountDownLatch(1);
  private final CountDownLatch changed = new CountDownLatch(REQUESTS);
  private final AtomicInteger destroyed = new AtomicInteger();

  /** Every change is made while the removal is on its way. */
  @BeforeEach
  void changeWhileTheEndIsOnItsWay() {
    pages.page(
        "change",
        (q, a) -> {
          HttpSession session = q.getSession();
          ready.countDown();
          awaitOpen(endBegins);
          session.setAttribute("n" + q.getParameter("n"), "changed");
          changed.countDown();
          a.getWriter().print("done");
        });
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            destroyed.incrementAndGet();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
  }

  private Answer logOutBesideSaves(List<Answer> beside) throws Exception {
    List<Future<Answer>> changes = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      changes.add(ask(one, "change&n=" + i));
    }
    awaitOpen(ready);
    Answer logout = answered(ask(one, "logout"));
    for (Future<Answer> change : changes) {
      beside.add(answered(change));
    }
    return logout;
  }

  @Test
  void changes_that_die_with_the_users_own_logout_fail_nobody() throws Exception {
    one.calls.before(
        "remove",
        () -> {
          endBegins.countDown();
          awaitOpen(changed);
        });
    List<Answer> beside = new ArrayList<>();
    assertAnswered(logOutBesideSaves(beside));
    beside.forEach(ManyClients::assertAnswered);
    assertEquals("none", shown(one, "cart"));
    assertEquals("none", shown(two, "cart"));
    assertEquals(1, destroyed.get());
  }

  @Test
  void changes_beside_a_logout_that_is_refused_are_stored() throws Exception {
    one.calls.before(
        "remove",
        () -> {
          endBegins.countDown();
          awaitOpen(changed);
          throw new StoreRefusedException(StoreRefusedException.Reason.MALFORMED, "as asked");
        });
    List<Answer> beside = new ArrayList<>();
    Answer logout = logOutBesideSaves(beside);
    assertEquals(true, logout.status() >= 500, logout.text);
    beside.forEach(ManyClients::assertAnswered);
    assertEquals("apples", shown(one, "cart"));
    for (int i = 0; i < REQUESTS; i++) {
      assertEquals("changed", shown(two, "n" + i));
    }
    assertEquals(0, destroyed.get());
  }

  @Test
  void a_request_may_change_a_session_and_then_end_it() throws Exception {
    pages.page(
        "both",
        (q, a) -> {
          q.getSession().setAttribute("cart", "pears");
          q.getSession().invalidate();
          a.getWriter().print("bye");
        });
    Answer answer = page(one, "both");
    assertAnswered(answer);
    assertEquals("bye", answer.body());
    assertEquals("none", shown(two, "cart"));
  }

  @Test
  void a_listener_of_the_end_may_change_what_ends() throws Exception {
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            event.getSession().setAttribute("last", "words");
            event.getSession().removeAttribute("cart");
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    int saves = one.store.count("save");
    assertAnswered(page(one, "logout"));
    assertEquals(saves, one.store.count("save"));
    assertEquals("none", shown(two, "cart"));
  }
}
