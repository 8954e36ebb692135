package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.Push;

/** What holds when several requests, several Tomcats and the store's own mind meet in a session. */
class ParallelRequestsTest extends TwoTomcats {

  private static final int REQUESTS = 20;

  private final ExecutorService clients = Executors.newFixedThreadPool(REQUESTS);
  private String cookie;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
  }

  @AfterEach
  void endClients() {
    clients.shutdownNow();
  }

  private static String read(Node node, String cookie, String name) throws Exception {
    return node.get(
            "/", cookie, (q, a) -> a.getWriter().print(q.getSession(true).getAttribute(name)))
        .body();
  }

  @Test
  void parallel_changes_of_one_session_are_all_stored_and_share_saves() throws Exception {
    CountDownLatch together = new CountDownLatch(REQUESTS);
    one.work =
        (q, a) -> {
          together.countDown();
          together.await(10, TimeUnit.SECONDS);
          q.getSession().setAttribute(q.getParameter("name"), "1");
        };
    int savesBefore = one.store.count("save");
    List<Callable<Answer>> requests = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      String path = "/?name=a" + i;
      requests.add(() -> one.get(path, cookie));
    }
    for (Future<Answer> answer : clients.invokeAll(requests)) {
      assertEquals(200, answer.get().status());
    }
    assertTrue(one.store.count("save") - savesBefore <= REQUESTS);
    for (int i = 0; i < REQUESTS; i++) {
      assertEquals("1", read(two, cookie, "a" + i));
    }
  }

  @Test
  void a_request_that_saw_what_another_could_not_store_fails_too() throws Exception {
    CountDownLatch reading = new CountDownLatch(1);
    CountDownLatch changed = new CountDownLatch(1);
    CountDownLatch failed = new CountDownLatch(1);
    one.work =
        (q, a) -> {
          if ("w".equals(q.getParameter("do"))) {
            q.getSession().setAttribute("cart", "unsaved");
            changed.countDown();
          } else {
            q.getSession();
            reading.countDown();
            changed.await(10, TimeUnit.SECONDS);
            failed.await(10, TimeUnit.SECONDS);
            a.getWriter().print(q.getSession().getAttribute("cart"));
          }
        };
    Future<Answer> reader = clients.submit(() -> one.get("/?do=r", cookie));
    assertTrue(reading.await(10, TimeUnit.SECONDS));
    one.store.savesFail = true;
    assertEquals(503, one.get("/?do=w", cookie).status());
    one.store.savesFail = false;
    failed.countDown();
    assertEquals(503, reader.get(20, TimeUnit.SECONDS).status());
    assertEquals("apples", read(one, cookie, "cart"));
  }

  @Test
  void a_woken_zombie_is_fenced_even_where_nothing_conflicts() throws Exception {
    Answer zombie =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("zombie", "here");
              two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("living", "there"));
              one.pause();
            });
    assertEquals(503, zombie.status());
    assertNull(zombie.cookie());
    assertEquals("null", read(two, cookie, "zombie"));
    assertEquals("there", read(two, cookie, "living"));
  }

  @Test
  void a_zombie_that_only_read_shows_nothing_old() throws Exception {
    Answer zombie =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              a.getWriter().print(q.getSession().getAttribute("cart"));
              two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("cart", "newer"));
              one.pause();
            });
    assertEquals(503, zombie.status());
    assertEquals("", zombie.body());
  }

  @Test
  void a_change_in_place_of_what_another_tomcat_changed_is_a_conflict() throws Exception {
    one.get(
        "/",
        cookie,
        (q, a) -> {
          List<String> items = new ArrayList<>();
          items.add("apples");
          q.getSession().setAttribute("list", items);
        });
    Answer late =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              @SuppressWarnings("unchecked")
              List<String> items = (List<String>) q.getSession().getAttribute("list");
              two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("list", "theirs"));
              read(one, cookie, "list"); // claims the session back
              items.add("mine");
            });
    assertEquals(503, late.status());
    assertEquals("theirs", read(one, cookie, "list"));
  }

  @Test
  void listeners_hear_of_the_end_of_a_session_once_and_not_of_a_stop() throws Exception {
    AtomicInteger created = new AtomicInteger();
    AtomicInteger destroyed = new AtomicInteger();
    CountDownLatch heard = new CountDownLatch(1);
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionCreated(HttpSessionEvent event) {
            created.incrementAndGet();
          }

          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            destroyed.incrementAndGet();
            heard.countDown();
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    ((StandardContext) two.context).addApplicationLifecycleListener(listener);
    String other = one.get("/", null, SET).cookie();
    read(two, other, "cart");
    RemoraSession session = (RemoraSession) two.manager.findSessions()[0];
    two.store.end(session.held().key(), Push.Kind.EXPIRED);
    assertTrue(heard.await(10, TimeUnit.SECONDS));
    assertEquals("null", read(one, other, "cart"));
    assertEquals(2, created.get(), "the first session and the one after its end");
    one.tomcat.stop();
    assertEquals(1, destroyed.get());
  }

  @Test
  void an_idle_copy_is_not_ended_by_the_local_clock() throws Exception {
    one.get("/", cookie, (q, a) -> q.getSession().setMaxInactiveInterval(1));
    RemoraSession session = (RemoraSession) one.manager.findSessions()[0];
    one.passTime(60);
    assertTrue(session.isIdleTooLong(0));
    assertTrue(session.isValid());
    int checks = one.store.count("check");
    assertEquals("apples", read(one, cookie, "cart"));
    assertEquals(checks + 1, one.store.count("check"));
  }
}
