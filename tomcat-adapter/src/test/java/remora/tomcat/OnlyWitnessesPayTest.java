package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.ConcurrentModificationException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.AsyncContext;
import javax.servlet.http.HttpServletResponse;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;

/**
 * A failure, and a comparison, is paid for by the requests that saw the value: a stream of events
 * and a long poll of the same session, which read something else, notice nothing.
 */
class OnlyWitnessesPayTest extends ManyClients {

  private final CountDownLatch reading = new CountDownLatch(2);
  private final CountDownLatch happened = new CountDownLatch(1);

  @BeforeEach
  void openAStreamAndALongPoll() {
    pages.page(
        "stream",
        (q, a) -> {
          AsyncContext async = q.startAsync();
          a.getWriter().print("user=" + q.getSession().getAttribute("user") + ";");
          a.flushBuffer();
          reading.countDown();
          new Thread(() -> streamOn(async)).start();
        });
    pages.page(
        "poll",
        (q, a) -> {
          Object user = q.getSession().getAttribute("user");
          reading.countDown();
          awaitOpen(happened);
          a.getWriter().print("user=" + user);
        });
  }

  private void streamOn(AsyncContext async) {
    try {
      awaitOpen(happened);
      HttpServletResponse answer = (HttpServletResponse) async.getResponse();
      answer.getWriter().print("event;");
      answer.flushBuffer();
    } catch (IOException | InterruptedException broken) {
      throw new IllegalStateException(broken);
    } finally {
      async.complete();
    }
  }

  /** Runs a page that fails beside a stream and a long poll, and then lets those go on. */
  private void assertFailsAlone(Node node, int status, String failing) throws Exception {
    assertAnswered(page(node, "set&name=user&value=ann"));
    Future<Answer> stream = ask(node, "stream");
    Future<Answer> poll = ask(node, "poll");
    awaitOpen(reading);
    Answer failed = answered(ask(node, failing));
    happened.countDown();
    assertEquals(status, failed.status(), failed.text);
    assertAnswered(answered(poll));
    assertEquals("user=ann", answered(poll).body());
    assertAnswered(answered(stream));
    assertTrue(answered(stream).body().contains("user=ann;"), answered(stream).text);
    assertTrue(answered(stream).body().contains("event;"), answered(stream).text);
    assertTrue(answered(stream).text.endsWith("0\r\n\r\n"), "cut: " + answered(stream).text);
  }

  /** An attribute that cannot be written. */
  private static final class Breaks implements Serializable {
    private static final long serialVersionUID = 1L;

    private void writeObject(ObjectOutputStream output) throws IOException {
      throw new IOException("as asked");
    }
  }

  @Test
  void a_value_that_cannot_be_saved_fails_the_request_that_set_it_alone() throws Exception {
    Node strict = startWith("onUnserializable", "fail");
    pages.page("breaks", (q, a) -> q.getSession().setAttribute("broken", new Breaks()));
    assertFailsAlone(strict, 500, "breaks");
    assertEquals("null", shown(strict, "broken"));
    assertEquals("apples", shown(strict, "cart"));
  }

  @Test
  void a_conflict_fails_the_request_that_made_it_alone() throws Exception {
    pages.page(
        "conflict",
        (q, a) -> {
          q.getSession().setAttribute("cart", "here");
          assertAnswered(page(two, "set&value=there"));
        });
    assertFailsAlone(one, 503, "conflict");
    assertEquals("there", shown(one, "cart"));
    assertEquals("there", shown(two, "cart"));
  }

  @Test
  void a_save_that_is_not_answered_fails_the_requests_that_saw_the_value_alone() throws Exception {
    Node refusing = startWith("onStoreLoss", "refuse");
    pages.page(
        "unanswered",
        (q, a) -> {
          q.getSession().setAttribute("cart", "unsaved");
          refusing.store.answerLost = "save";
        });
    assertFailsAlone(refusing, 503, "unanswered");
    refusing.store.answerLost = null;
    assertEquals("unsaved", shown(two, "cart"), "only the answer was lost");
    assertEquals("unsaved", shown(refusing, "cart"));
  }

  /** Counts how often it is written. */
  private static final class Counted implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final AtomicInteger written = new AtomicInteger();

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      written.incrementAndGet();
    }
  }

  /** A session with a large map in the hands of a long poll. */
  private Future<Answer> pollThatReadsAMap() throws Exception {
    pages.page(
        "fill",
        (q, a) -> {
          Map<Integer, Counted> map = new HashMap<>();
          for (int i = 0; i < 3_000; i++) {
            map.put(i, new Counted());
          }
          q.getSession().setAttribute("map", map);
        });
    pages.page(
        "reads",
        (q, a) -> {
          Object map = q.getSession().getAttribute("map");
          reading.countDown();
          awaitOpen(happened);
          a.getWriter().print(((Map<?, ?>) map).size());
        });
    assertAnswered(page(one, "fill"));
    reading.countDown();
    Future<Answer> poll = ask(one, "reads");
    awaitOpen(reading);
    return poll;
  }

  @Test
  void a_request_is_not_charged_for_what_only_another_one_read() throws Exception {
    pages.page("id", (q, a) -> a.getWriter().print(q.getSession().getId()));
    Future<Answer> poll = pollThatReadsAMap();
    int before = Counted.written.get();
    List<Answer> answers = new ArrayList<>();
    for (String page : new String[] {"id", "get", "set&name=user&value=ann"}) {
      answers.add(page(one, page));
    }
    assertEquals(before, Counted.written.get());
    answers.forEach(ManyClients::assertAnswered);
    happened.countDown();
    assertEquals("3000", answered(poll).body());
  }

  @Test
  void what_a_request_read_and_changed_in_place_is_stored_with_its_own_answer() throws Exception {
    pages.page(
        "mutates",
        (q, a) -> {
          @SuppressWarnings("unchecked")
          Map<Integer, Counted> map = (Map<Integer, Counted>) q.getSession().getAttribute("map");
          map.remove(0);
        });
    pages.page(
        "size",
        (q, a) -> a.getWriter().print(((Map<?, ?>) q.getSession().getAttribute("map")).size()));
    Future<Answer> poll = pollThatReadsAMap();
    assertAnswered(page(one, "mutates"));
    assertEquals("2999", page(two, "size").body());
    happened.countDown();
    assertAnswered(answered(poll));
  }

  /** Whether {@link Restless} is changed at this moment; static because no stream may need it. */
  private static volatile boolean changes;

  /** A value that another thread goes on changing, as its iterators say. */
  private static final class Restless implements Serializable {
    private static final long serialVersionUID = 1L;

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      if (changes) {
        throw new ConcurrentModificationException();
      }
    }
  }

  @Test
  void a_value_that_goes_on_changing_is_paid_for_by_who_changes_it() throws Exception {
    pages.page("sets", (q, a) -> q.getSession().setAttribute("restless", new Restless()));
    pages.page("reads", (q, a) -> a.getWriter().print(q.getSession().getAttribute("restless")));
    assertAnswered(page(one, "sets"));
    changes = true;
    try {
      assertAnswered(page(one, "reads"));
      assertEquals(503, page(one, "sets").status());
    } finally {
      changes = false;
    }
    assertAnswered(page(one, "reads"));
  }
}
