package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.keeper.Held;
import remora.tomcat.keeper.Keeper;
import remora.tomcat.store.StoreState;

/** What requests wait for while the store does not answer. */
class OutageTest extends TwoTomcats {

  private static final int REQUESTS = 10;

  private static final Work READ =
      (q, a) -> a.getWriter().print(q.getSession().getAttribute("cart"));

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

  private List<Future<Answer>> all(Node node) {
    List<Future<Answer>> answers = new ArrayList<>();
    for (int i = 0; i < REQUESTS; i++) {
      answers.add(clients.submit(() -> node.get("/", cookie)));
    }
    return answers;
  }

  private static void assertRefused(List<Future<Answer>> answers) throws Exception {
    for (Future<Answer> answer : answers) {
      assertEquals(503, answer.get(20, TimeUnit.SECONDS).status());
    }
  }

  @Test
  void parallel_look_ups_of_a_session_wait_for_one_silence_and_not_for_each_others()
      throws Exception {
    two.work = READ;
    two.store.silence = new CountDownLatch(1);
    List<Future<Answer>> answers = all(two);
    Conditions.await("queue", () -> Conditions.threadsIn(Keeper.class, "ask") == REQUESTS);
    two.store.silence.countDown();
    assertRefused(answers);
    assertEquals(1, two.store.count("claim"));
    two.store.silence = null;
    assertEquals("apples", two.get("/", cookie).body());
  }

  @Test
  void parallel_requests_of_a_session_end_with_one_silence_and_not_with_each_others()
      throws Exception {
    CountDownLatch together = new CountDownLatch(REQUESTS);
    one.work =
        (q, a) -> {
          READ.serve(q, a);
          together.countDown();
          together.await(20, TimeUnit.SECONDS);
          one.store.untrusted = true;
        };
    one.store.silence = new CountDownLatch(1);
    List<Future<Answer>> answers = all(one);
    Conditions.await(
        "queue", () -> Conditions.threadsIn(Held.class, "awaitLanding") == REQUESTS - 1);
    one.store.silence.countDown();
    assertRefused(answers);
    assertEquals(1, one.store.count("check"));
  }

  @Test
  void of_the_requests_of_one_session_no_more_wait_than_may_while_the_store_is_sought()
      throws Exception {
    two.work = READ;
    two.store.waitersMax = REQUESTS / 2;
    two.store.silence = new CountDownLatch(1);
    Future<Answer> first = clients.submit(() -> two.get("/", cookie));
    Conditions.await("claim", () -> two.store.count("claim") == 1);
    two.store.stand(StoreState.Kind.SEEKING);
    List<Future<Answer>> others = all(two).subList(0, REQUESTS - 1);
    Conditions.await("refusals", () -> others.stream().filter(Future::isDone).count() == 4);
    two.store.silence.countDown();
    assertEquals(503, first.get(20, TimeUnit.SECONDS).status());
    assertRefused(others);
  }

  @Test
  void a_request_that_waited_for_a_silent_check_does_not_wait_again() throws Exception {
    CountDownLatch entered = new CountDownLatch(2);
    one.work =
        (q, a) -> {
          READ.serve(q, a);
          entered.countDown();
          entered.await(20, TimeUnit.SECONDS);
          one.store.untrusted = true;
          if (q.getParameter("sets") != null) {
            Conditions.await("check", () -> one.store.count("check") == 1);
            q.getSession().setAttribute("cart", "pears");
          }
        };
    one.store.silence = new CountDownLatch(1);
    Future<Answer> checking = clients.submit(() -> one.get("/", cookie));
    Future<Answer> saving = clients.submit(() -> one.get("/?sets", cookie));
    Conditions.await("queue", () -> Conditions.threadsIn(Held.class, "awaitLanding") > 0);
    one.store.silence.countDown();
    assertEquals(503, checking.get(20, TimeUnit.SECONDS).status());
    assertEquals(503, saving.get(20, TimeUnit.SECONDS).status());
  }

  @Test
  void look_ups_that_the_store_does_not_answer_leave_nothing_behind() throws Exception {
    two.work = READ;
    two.store.down = true;
    assertEquals(503, two.get("/", cookie).status());
    assertEquals(0, two.manager.keeper().size());
  }
}
