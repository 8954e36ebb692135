package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import javax.servlet.http.HttpSessionActivationListener;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionIdListener;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.store.Push;

/**
 * Code of the application that the adapter calls: serialization and every kind of listener. None of
 * it runs while anything is held that another request of the same session, or of another one,
 * needs.
 */
class ApplicationCodeTest extends ManyClients {

  /** What the application's code does; static because no stream may need it. */
  private static volatile StoreCalls.Step whenWritten;

  private static volatile StoreCalls.Step whenRead;

  private static volatile StoreCalls.Step whenMoved;

  /** A value with code at every place. */
  private static final class Busy implements HttpSessionActivationListener, Serializable {
    private static final long serialVersionUID = 1L;

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      run(whenWritten);
    }

    private void readObject(ObjectInputStream input) throws IOException, ClassNotFoundException {
      input.defaultReadObject();
      run(whenRead);
    }

    @Override
    public void sessionDidActivate(HttpSessionEvent event) {
      run(whenMoved);
    }

    @Override
    public String toString() {
      return "busy";
    }

    private static void run(StoreCalls.Step step) {
      try {
        if (step != null) {
          step.run();
        }
      } catch (Exception stuck) {
        throw new IllegalStateException(stuck);
      }
    }
  }

  private final List<String> answers = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void storeABusyValue() throws Exception {
    whenWritten = null;
    whenRead = null;
    whenMoved = null;
    pages.page("fill", (q, a) -> q.getSession().setAttribute("busy", new Busy()));
    assertAnswered(page(one, "fill"));
  }

  /** Waits for another request of the same session at the same Tomcat. */
  private StoreCalls.Step asks(Tomcats.Node node) {
    return () -> {
      whenWritten = null; // once
      whenRead = null;
      whenMoved = null;
      answers.add(answered(ask(node, "get")).body());
      assertAnswered(answered(ask(node, "set&name=other&value=1")));
    };
  }

  private void assertAsked() throws Exception {
    assertEquals(Arrays.asList("apples"), answers);
    assertEquals("1", shown(two, "other"));
    assertEquals("1", shown(one, "other"));
  }

  @Test
  void a_value_may_wait_for_a_request_of_its_session_while_it_is_written() throws Exception {
    whenWritten = asks(one);
    assertAnswered(answered(ask(one, "fill")));
    assertAsked();
  }

  @Test
  void a_value_may_wait_for_a_request_of_its_session_while_it_is_compared() throws Exception {
    whenWritten = asks(one);
    assertEquals("busy", answered(ask(one, "get&name=busy")).body());
    assertAsked();
  }

  @Test
  void a_value_may_wait_for_a_request_of_its_session_while_it_is_read() throws Exception {
    whenRead = asks(two);
    assertEquals("busy", answered(ask(two, "get&name=busy")).body());
    assertAsked();
  }

  @Test
  void a_value_may_wait_for_a_request_of_its_session_when_it_hears_that_it_has_moved()
      throws Exception {
    whenMoved = asks(two);
    assertEquals("busy", answered(ask(two, "get&name=busy")).body());
    assertAsked();
  }

  @Test
  void a_value_may_wait_for_the_session_to_move_while_it_is_written() throws Exception {
    whenWritten =
        () -> {
          whenWritten = null;
          answers.add(answered(ask(two, "get")).body());
          assertAnswered(answered(ask(two, "set&name=other&value=1")));
        };
    assertAnswered(answered(ask(one, "fill")));
    assertAsked();
  }

  @Test
  void a_listener_of_ids_may_wait_for_a_request_under_the_new_id() throws Exception {
    HttpSessionIdListener listener =
        (event, oldId) -> {
          String renamed = "JSESSIONID=" + event.getSession().getId();
          try {
            answers.add(clients.submit(() -> one.get("/?page=get", renamed)).get().body());
          } catch (Exception stuck) {
            answers.add(stuck.toString());
          }
          event.getSession().setAttribute("other", "1");
        };
    ((StandardContext) one.context).addApplicationEventListener(listener);
    pages.page("rotate", (q, a) -> q.changeSessionId());
    Answer rotated = answered(ask(one, "rotate"));
    assertAnswered(rotated);
    assertNotNull(rotated.cookie());
    cookie = rotated.cookie();
    assertAsked();
  }

  @Test
  void a_listener_of_the_beginning_may_wait_for_a_request_of_another_session() throws Exception {
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionCreated(HttpSessionEvent event) {
            event.getSession().setAttribute("born", "here");
            try {
              asks(one).run();
            } catch (Exception stuck) {
              answers.add(stuck.toString());
            }
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    Answer first = clients.submit(() -> one.get("/?page=set&value=new", null)).get();
    assertAnswered(first);
    assertAsked();
    cookie = first.cookie();
    assertEquals("here", shown(two, "born"));
    assertEquals("new", shown(two, "cart"));
  }

  @Test
  void a_listener_of_an_expiry_may_wait_for_a_request_of_another_session() throws Exception {
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            try {
              asks(one).run();
            } catch (Exception stuck) {
              answers.add(stuck.toString());
            }
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    assertAnswered(one.get("/?page=set&value=idle", null));
    one.store.end(one.calls.key(), Push.Kind.EXPIRED);
    Conditions.await("end", () -> "1".equals(shown(one, "other")));
    assertAsked();
  }

  @Test
  void what_a_value_changes_when_it_leaves_with_its_tomcat_is_stored() throws Exception {
    pages.page(
        "leaves",
        (q, a) ->
            q.getSession()
                .setAttribute(
                    "leaver", (Leaver) event -> event.getSession().setAttribute("last", "words")));
    assertAnswered(page(one, "leaves"));
    one.tomcat.stop();
    assertEquals("words", shown(two, "last"));
    assertEquals("apples", shown(two, "cart"));
  }

  /** A value that hears of the stop. */
  private interface Leaver extends HttpSessionActivationListener, Serializable {
    @Override
    void sessionWillPassivate(HttpSessionEvent event);
  }

  @Test
  void the_class_loader_of_the_application_is_there_whoever_calls() throws Exception {
    List<ClassLoader> seen = Collections.synchronizedList(new ArrayList<>());
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            seen.add(Thread.currentThread().getContextClassLoader());
          }
        };
    ((StandardContext) one.context).addApplicationLifecycleListener(listener);
    StoreCalls.Step notes = () -> seen.add(Thread.currentThread().getContextClassLoader());
    whenWritten = notes;
    assertEquals("busy", shown(one, "busy"));
    assertTrue(seen.size() > 0, "it was compared");
    int before = seen.size();
    one.store.end(one.calls.key(), Push.Kind.EXPIRED);
    Conditions.await("end", () -> seen.size() > before);
    ClassLoader application = one.context.getLoader().getClassLoader();
    assertEquals(Collections.nCopies(seen.size(), application), seen);
  }
}
