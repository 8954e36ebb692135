package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.Session;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.Push;

/** Sessions that end, or take another id, while requests of this Tomcat still use them. */
class EndOfSessionTest extends TwoTomcats {

  private final ExecutorService thread = Executors.newCachedThreadPool();
  private final AtomicInteger destroyed = new AtomicInteger();
  private String cookie;
  private RemoraSession session;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
    session = (RemoraSession) one.manager.findSessions()[0];
  }

  @AfterEach
  void endClients() {
    thread.shutdownNow();
  }

  private void onDestroyed(Runnable then) {
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionCreated(HttpSessionEvent event) {}

          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            destroyed.incrementAndGet();
            then.run();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
  }

  /** A second request of the same session, while the first one is under way. */
  private void alsoReads() throws Exception {
    Work first = one.work;
    one.get("/", cookie, GET);
    one.work = first;
  }

  @Test
  void a_change_to_a_session_that_a_parallel_request_found_gone_is_not_answered_as_done()
      throws Exception {
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("cart", "pears");
              one.store.untrusted = true;
              two.get("/", cookie, (q2, a2) -> q2.getSession().invalidate());
              alsoReads();
            });
    assertEquals(503, answer.status());
  }

  @Test
  void a_change_to_a_session_that_a_parallel_request_found_renamed_is_not_answered_as_done()
      throws Exception {
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("cart", "pears");
              one.store.untrusted = true;
              two.get("/", cookie, (q2, a2) -> q2.changeSessionId());
              alsoReads();
            });
    assertEquals(503, answer.status());
  }

  @Test
  void a_change_in_place_is_not_answered_as_done_either() throws Exception {
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("list", new ArrayList<>()));
    Work changes =
        (q, a) -> {
          @SuppressWarnings("unchecked")
          List<String> list = (List<String>) q.getSession().getAttribute("list");
          one.store.untrusted = true;
          two.get("/", cookie, (q2, a2) -> q2.changeSessionId());
          alsoReads();
          list.add("pears");
        };
    assertEquals(503, one.get("/", cookie, changes).status());
  }

  @Test
  void what_only_read_a_session_that_then_ended_is_answered() throws Exception {
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              a.getWriter().print(q.getSession().getAttribute("cart"));
              one.store.untrusted = true;
              two.get("/", cookie, (q2, a2) -> q2.getSession().invalidate());
              alsoReads();
            });
    assertEquals(200, answer.status());
    assertEquals("apples", answer.body());
  }

  @Test
  void listeners_hear_of_an_end_that_a_request_sees_before_the_housekeeper_does() throws Exception {
    one.get("/", null, SET);
    CountDownLatch release = new CountDownLatch(1);
    CountDownLatch blocked = new CountDownLatch(1);
    onDestroyed(
        () -> {
          blocked.countDown();
          try {
            release.await(20, TimeUnit.SECONDS);
          } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
          }
        });
    for (Session other : one.manager.findSessions()) {
      if (other != session) {
        one.store.end(((RemoraSession) other).held().key(), Push.Kind.EXPIRED);
      }
    }
    assertTrue(blocked.await(20, TimeUnit.SECONDS));
    one.store.untrusted = true; // hears no push, so that the request is the first to see it
    two.store.untrusted = true; // is offered nothing
    one.store.end(session.held().key(), Push.Kind.EXPIRED);
    one.work = GET;
    Future<Answer> answer = thread.submit(() -> one.get("/", cookie));
    Conditions.await("second end", () -> destroyed.get() == 2);
    release.countDown();
    assertEquals("none", answer.get(20, TimeUnit.SECONDS).body());
    assertEquals(2, destroyed.get());
  }

  @Test
  void listeners_hear_of_an_end_that_a_save_finds() throws Exception {
    onDestroyed(() -> {});
    two.store.untrusted = true; // is offered nothing
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("cart", "pears");
              one.store.untrusted = true; // hears no pushes
              one.store.end(session.held().key(), Push.Kind.EXPIRED);
            });
    assertEquals(503, answer.status());
    assertEquals(1, destroyed.get());
  }

  @Test
  void an_owner_that_finds_its_session_gone_calls_nobody_where_another_has_buried_it()
      throws Exception {
    onDestroyed(() -> {});
    one.store.untrusted = true; // hears no pushes
    one.store.end(session.held().key(), Push.Kind.EXPIRED);
    Conditions.await("another to bury it", () -> Boolean.TRUE.equals(buried(two)));
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals(false, buried(one));
    assertEquals(0, destroyed.get());
  }

  private static Object buried(Tomcats.Node node) {
    return node.calls.all("bury").isEmpty() ? null : node.calls.last("bury").outcome;
  }

  @Test
  void listeners_of_a_session_that_moved_and_ended_elsewhere_hear_nothing_here() throws Exception {
    onDestroyed(() -> {});
    two.get("/", cookie, (q, a) -> q.getSession().invalidate());
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals(0, destroyed.get());
  }

  @Test
  void a_listener_may_wait_for_another_request_of_the_session_that_ends() throws Exception {
    List<String> answers = new ArrayList<>();
    onDestroyed(
        () -> {
          try {
            answers.add(thread.submit(() -> one.get("/", cookie)).get(10, TimeUnit.SECONDS).body());
          } catch (Exception stuck) {
            answers.add(stuck.toString());
          }
        });
    one.store.untrusted = true; // hears no pushes
    two.store.untrusted = true; // is offered nothing
    one.store.end(session.held().key(), Push.Kind.EXPIRED);
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals(1, answers.size());
    assertEquals("none", answers.get(0));
  }
}
