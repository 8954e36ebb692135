package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Vector;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionBindingEvent;
import javax.servlet.http.HttpSessionBindingListener;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;

/**
 * A page may hold any monitor, wait for anything and call anything from anywhere: the session's
 * other requests, and its own answer, never wait for that.
 */
class AnyMonitorTest extends ManyClients {

  @BeforeEach
  void storeSomethingWithAMonitor() throws Exception {
    pages.page("fill", (q, a) -> q.getSession().setAttribute("v", new Vector<>()));
    assertAnswered(page(one, "fill"));
  }

  private static Object attribute(HttpSession session, String name) {
    return session.getAttribute(name);
  }

  /** Whether a thread waits to enter this object's monitor. */
  private static boolean isWantedByAnother(Object monitor) {
    ThreadInfo[] threads = ManagementFactory.getThreadMXBean().dumpAllThreads(false, false);
    return Arrays.stream(threads)
        .anyMatch(
            thread ->
                thread.getThreadState() == Thread.State.BLOCKED
                    && thread.getLockInfo() != null
                    && thread.getLockInfo().getIdentityHashCode()
                        == System.identityHashCode(monitor));
  }

  private static void printMuch(HttpServletResponse answer) throws IOException {
    for (int i = 0; i < 3_000; i++) {
      answer.getWriter().print("0123456789");
    }
  }

  /**
   * Prints more than Tomcat buffers while it holds the monitor that a request of the same needs.
   */
  private void assertBothAnswered(Work other) throws Exception {
    CountDownLatch held = new CountDownLatch(1);
    pages.page(
        "holds",
        (q, a) -> {
          Object v = attribute(q.getSession(), "v");
          synchronized (v) {
            held.countDown();
            Conditions.await("second request at the monitor", () -> isWantedByAnother(v));
            printMuch(a);
          }
        });
    pages.page("other", other);
    Future<Answer> first = ask(one, "holds");
    awaitOpen(held);
    Future<Answer> second = ask(one, "other");
    assertAnswered(answered(first));
    assertAnswered(answered(second));
    assertAnswered(page(one, "get"));
  }

  @Test
  void a_page_may_print_while_it_holds_what_a_second_request_must_encode() throws Exception {
    assertBothAnswered((q, a) -> attribute(q.getSession(), "v"));
  }

  @Test
  void a_page_may_print_while_it_holds_what_a_second_request_has_changed() throws Exception {
    assertBothAnswered((q, a) -> q.getSession().setAttribute("v", attribute(q.getSession(), "v")));
  }

  @Test
  void a_page_may_hold_what_it_changed_until_another_request_of_the_session_is_answered()
      throws Exception {
    pages.page(
        "waits",
        (q, a) -> {
          @SuppressWarnings("unchecked")
          Vector<String> v = (Vector<String>) attribute(q.getSession(), "v");
          synchronized (v) {
            v.add("apples");
            q.getSession().setAttribute("v", v);
            assertAnswered(answered(ask(one, "set&name=other&value=1")));
            a.getWriter().print("waited");
          }
        });
    assertEquals("waited", answered(ask(one, "waits")).body());
    assertEquals("[apples]", shown(two, "v"));
    assertEquals("1", shown(two, "other"));
  }

  /** Holds one attribute, has read another, and prints when a second request does the reverse. */
  private void crosses(String mine, String other) {
    pages.page(
        "holds_" + mine,
        (q, a) -> {
          Object held = attribute(q.getSession(), mine);
          attribute(q.getSession(), other);
          synchronized (held) {
            crossed.countDown();
            awaitOpen(crossed);
            printMuch(a);
          }
        });
  }

  private final CountDownLatch crossed = new CountDownLatch(2);

  @Test
  void two_pages_may_each_hold_what_the_other_has_read() throws Exception {
    pages.page("two", (q, a) -> q.getSession().setAttribute("w", new Vector<>()));
    assertAnswered(page(one, "two"));
    crosses("v", "w");
    crosses("w", "v");
    Future<Answer> first = ask(one, "holds_v");
    Future<Answer> second = ask(one, "holds_w");
    assertAnswered(answered(first));
    assertAnswered(answered(second));
    assertAnswered(page(one, "get"));
  }

  @Test
  void a_page_may_hold_the_session_itself_until_another_request_of_it_is_answered()
      throws Exception {
    pages.page(
        "waits",
        (q, a) -> {
          synchronized (q.getSession()) {
            synchronized (one.manager.findSession(q.getSession().getId())) {
              q.getSession().setAttribute("mine", "1");
              assertAnswered(answered(ask(one, "set&name=other&value=1")));
              printMuch(a);
            }
          }
        });
    assertAnswered(answered(ask(one, "waits")));
    assertEquals("1", shown(two, "mine"));
    assertEquals("1", shown(two, "other"));
  }

  /** What happens when {@link Binds} is bound or let go; static because no stream may need it. */
  private static volatile StoreCalls.Step whenBound;

  /** An attribute that waits whenever it is bound or let go. */
  private static final class Binds implements HttpSessionBindingListener, Serializable {
    private static final long serialVersionUID = 1L;

    @Override
    public void valueBound(HttpSessionBindingEvent event) {
      waits();
    }

    @Override
    public void valueUnbound(HttpSessionBindingEvent event) {
      waits();
    }

    private static void waits() {
      try {
        whenBound.run();
      } catch (Exception stuck) {
        throw new IllegalStateException(stuck);
      }
    }
  }

  @Test
  void a_listener_of_a_value_may_wait_for_another_request_of_the_session() throws Exception {
    List<Integer> answers = new ArrayList<>();
    whenBound =
        () -> answers.add(answered(ask(one, "set&name=other&value=" + answers.size())).status());
    pages.page(
        "binds",
        (q, a) -> {
          q.getSession().setAttribute("cart", "pears");
          q.getSession().setAttribute("binds", new Binds());
          q.getSession().removeAttribute("binds");
        });
    assertAnswered(answered(ask(one, "binds")));
    assertEquals(Arrays.asList(200, 200), answers);
    assertEquals("1", shown(two, "other"));
    assertEquals("pears", shown(two, "cart"));
  }

  @Test
  void a_listener_of_the_end_may_wait_for_another_request_of_the_session() throws Exception {
    List<String> answers = new ArrayList<>();
    HttpSessionListener waits =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            event.getSession().setAttribute("last", "words");
            try {
              answers.add(answered(ask(one, "get")).body());
            } catch (Exception stuck) {
              answers.add(stuck.toString());
            }
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(waits);
    assertAnswered(answered(ask(one, "logout")));
    assertEquals(Arrays.asList("none"), answers);
  }

  /** The session that {@link Curious} asks; static because no stream may need it. */
  private static volatile HttpSession asked;

  /** An attribute that uses its session while it is written. */
  private static final class Curious implements Serializable {
    private static final long serialVersionUID = 1L;

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      if (asked.getAttribute("seen") == null) {
        asked.setAttribute("seen", "by " + asked.getAttribute("cart"));
      }
    }
  }

  @Test
  void a_value_may_read_and_change_its_session_while_it_is_written() throws Exception {
    pages.page(
        "curious",
        (q, a) -> {
          asked = q.getSession();
          asked.setAttribute("curious", new Curious());
        });
    assertAnswered(answered(ask(one, "curious")));
    Conditions.await("save of what it changed", () -> "by apples".equals(shown(two, "seen")));
  }
}
