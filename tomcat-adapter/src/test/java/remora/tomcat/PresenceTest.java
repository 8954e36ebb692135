package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import javax.servlet.AsyncContext;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;

/** What a manager says of itself to the store. */
class PresenceTest extends ManyClients {

  private ApplicationStatus status() {
    return one.store.figures.get(one.manager.getApplication()).get();
  }

  private String traffic() {
    ApplicationStatus now = status();
    return now.busy() + " busy, " + now.inFlight() + " in flight";
  }

  private void awaitIdle() throws Exception {
    Conditions.await("rest", () -> "0 busy, 0 in flight".equals(traffic()));
  }

  @Test
  void requests_are_counted_while_they_have_a_thread_and_until_they_are_answered()
      throws Exception {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    pages.page(
        "wait",
        (q, a) -> {
          inside.countDown();
          awaitOpen(goOn);
        });
    awaitIdle();
    Future<Answer> waiting = ask(one, "wait");
    awaitOpen(inside);
    assertEquals("1 busy, 1 in flight", traffic());
    goOn.countDown();
    assertAnswered(answered(waiting));
    awaitIdle();
  }

  @Test
  void a_request_without_a_thread_is_in_flight() throws Exception {
    AtomicReference<AsyncContext> later = new AtomicReference<>();
    pages.page("later", (q, a) -> later.set(q.startAsync()));
    Future<Answer> waiting = ask(one, "later");
    Conditions.await("thread less", () -> "0 busy, 1 in flight".equals(traffic()));
    later.get().complete();
    assertAnswered(answered(waiting));
    awaitIdle();
  }

  @Test
  void a_refused_answer_ends_its_request_too() throws Exception {
    one.store.savesFail = true;
    assertRefused(page(one, "set&value=plums"), "certain");
    awaitIdle();
    assertEquals(1, status().refused());
  }

  @Test
  void classes_that_cannot_be_stored_are_named() throws Exception {
    pages.page("odd", (q, a) -> q.getSession().setAttribute("odd", new Object()));
    assertAnswered(page(one, "odd"));
    assertEquals(Collections.singletonList("java.lang.Object"), status().classes());
    assertEquals(1, status().local());
  }

  @Test
  void a_proxy_finds_it_where_its_connector_listens() {
    Announcement said = one.store.announced.get(one.manager.getApplication());
    assertTrue(said.url("*").startsWith("http://127.0.0.1:"), said.url("*"));
    assertEquals("serve", said.mode());
  }
}
