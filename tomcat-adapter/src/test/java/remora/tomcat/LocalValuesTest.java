package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Level;
import java.util.stream.Collectors;
import javax.servlet.http.HttpSessionBindingEvent;
import javax.servlet.http.HttpSessionBindingListener;
import org.apache.tomcat.util.descriptor.web.ErrorPage;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/** Values that cannot be stored stay on their Tomcat, and the page works. */
class LocalValuesTest extends ManyClients {

  /** Neither Serializable nor known to the codec. */
  private static final class Connection {
    @Override
    public String toString() {
      return "connection";
    }
  }

  private static Work sets(String name, Object value) {
    return (q, a) -> {
      q.getSession().setAttribute(name, value);
      a.getWriter().print("set");
    };
  }

  /** What the record holds, by name. */
  private List<String> stored() {
    FakeStore stranger = tomcats.stranger();
    StoredSession record = stranger.claim(stranger.nextSerial(), one.calls.key()).session();
    return record.attributes().stream().map(StoredAttribute::name).collect(Collectors.toList());
  }

  /** The page works, the value is there, and elsewhere it is as if it had never been set. */
  private void assertStaysHere(String name, Object value) throws Exception {
    boolean[] there = new boolean[1];
    pages.page("sets", sets(name, value));
    pages.page("reads", (q, a) -> there[0] = value == q.getSession().getAttribute(name));
    assertEquals("set", page(one, "sets").body());
    assertAnswered(page(one, "set&name=user&value=ann"));
    assertAnswered(page(one, "reads"));
    assertTrue(there[0], "the very object");
    assertEquals("null", two.get("/?page=get&name=" + name, cookie).body());
    assertEquals("ann", shown(two, "user"));
    assertEquals("apples", shown(two, "cart"));
    assertFalse(stored().contains(name));
  }

  @Test
  void a_value_that_is_not_serializable_stays_here() throws Exception {
    assertStaysHere("connection", new Connection());
  }

  @Test
  void a_value_that_holds_one_that_is_not_serializable_stays_here() throws Exception {
    List<Object> list = new ArrayList<>();
    list.add("apples");
    list.add(new Connection());
    assertStaysHere("list", list);
  }

  @Test
  void a_value_that_is_too_large_stays_here() throws Exception {
    assertStaysHere("large", new byte[2 * SessionStore.SESSION_BYTES_MAX_DEFAULT]);
  }

  @Test
  void a_value_with_a_name_that_is_too_long_stays_here() throws Exception {
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < 300; i++) {
      name.append('n');
    }
    assertStaysHere(name.toString(), "value");
  }

  @Test
  void values_that_are_too_large_together_leave_the_session_usable() throws Exception {
    byte[] half = new byte[SessionStore.SESSION_BYTES_MAX_DEFAULT * 2 / 3];
    pages.page("first", sets("first", half.clone())).page("second", sets("second", half.clone()));
    assertEquals("set", page(one, "first").body());
    assertEquals("set", page(one, "second").body());
    assertAnswered(page(one, "set&value=pears"));
    assertEquals("pears", shown(two, "cart"));
  }

  @Test
  void a_large_page_with_such_a_value_is_whole() throws Exception {
    pages.page(
        "large",
        (q, a) -> {
          q.getSession().setAttribute("connection", new Connection());
          for (int i = 0; i < 3_000; i++) {
            a.getWriter().print("0123456789");
          }
        });
    Answer answer = page(one, "large");
    assertAnswered(answer);
    assertTrue(answer.text.endsWith("0\r\n\r\n"), "cut");
  }

  @Test
  void such_a_value_is_listed_in_the_record_as_not_stored_with_its_class() throws Exception {
    pages.page("sets", sets("connection", new Connection()));
    assertAnswered(page(one, "sets"));
    String change = LocalNames.of(one.calls.last("save"));
    assertTrue(change.contains("connection"), change);
    assertTrue(change.contains(Connection.class.getName()), change);
  }

  @Test
  void such_a_value_is_said_once_for_its_class() throws Exception {
    try (LogLines log = new LogLines()) {
      for (int i = 0; i < 3; i++) {
        pages.page("sets", sets("connection" + i, new Connection()));
        assertAnswered(page(one, "sets"));
      }
      List<String> lines = log.lines(Level.WARNING);
      assertEquals(1, lines.size(), "" + lines);
      assertTrue(lines.get(0).contains("connection0"), lines.get(0));
      assertTrue(lines.get(0).contains(Connection.class.getName()), lines.get(0));
    }
  }

  @Test
  void a_name_that_turns_local_shows_nothing_older_elsewhere() throws Exception {
    pages.page("sets", sets("cart", new Connection()));
    assertAnswered(page(one, "sets"));
    assertEquals("connection", shown(one, "cart"));
    assertEquals("null", shown(two, "cart"));
  }

  @Test
  void a_name_that_can_be_stored_again_is_stored() throws Exception {
    pages.page("sets", sets("cart", new Connection()));
    assertAnswered(page(one, "sets"));
    assertAnswered(page(one, "set&value=plums"));
    assertEquals("plums", shown(two, "cart"));
    assertEquals("plums", shown(one, "cart"));
  }

  @Test
  void a_value_that_can_be_stored_again_is_stored() throws Exception {
    List<Object> list = new ArrayList<>();
    list.add(new Connection());
    pages.page("sets", sets("list", list));
    pages.page(
        "mends",
        (q, a) -> {
          @SuppressWarnings("unchecked")
          List<Object> mended = (List<Object>) q.getSession().getAttribute("list");
          mended.set(0, "apples");
        });
    assertAnswered(page(one, "sets"));
    assertAnswered(page(one, "mends"));
    assertEquals("[apples]", shown(two, "list"));
  }

  /** Counts how often it is let go. */
  private static final class Counting implements HttpSessionBindingListener {
    private final AtomicInteger bound = new AtomicInteger();
    private final AtomicInteger unbound = new AtomicInteger();

    @Override
    public void valueBound(HttpSessionBindingEvent event) {
      bound.incrementAndGet();
    }

    @Override
    public void valueUnbound(HttpSessionBindingEvent event) {
      unbound.incrementAndGet();
    }

    @Override
    public String toString() {
      return "here";
    }
  }

  @Test
  void it_appears_again_when_the_session_comes_back_and_is_let_go_once() throws Exception {
    Counting counting = new Counting();
    pages.page("sets", sets("counting", counting));
    assertAnswered(page(one, "sets"));
    assertEquals("null", shown(two, "counting"));
    assertEquals("here", shown(one, "counting"));
    assertEquals(0, counting.unbound.get());
    assertAnswered(page(one, "logout"));
    assertEquals(1, counting.bound.get());
    assertEquals(1, counting.unbound.get());
  }

  @Test
  void it_makes_room_for_what_was_stored_under_its_name_elsewhere() throws Exception {
    Counting counting = new Counting();
    pages.page("sets", sets("counting", counting));
    assertAnswered(page(one, "sets"));
    assertAnswered(page(two, "set&name=counting&value=theirs"));
    assertEquals("theirs", shown(one, "counting"));
    assertEquals("theirs", shown(two, "counting"));
    Conditions.await("end of the value", () -> counting.unbound.get() == 1);
    assertAnswered(page(one, "logout"));
    assertEquals(1, counting.unbound.get());
  }

  @Test
  void where_that_is_wished_it_is_the_applications_own_error() throws Exception {
    Node strict = startWith("onUnserializable", "fail");
    ErrorPage errorPage = new ErrorPage();
    errorPage.setErrorCode(500);
    errorPage.setLocation("/?page=sorry");
    strict.context.addErrorPage(errorPage);
    pages.page("sorry", (q, a) -> a.getWriter().print("the shop is sorry"));
    pages.page("sets", sets("cart", new Connection()));
    pages.page(
        "large",
        (q, a) -> {
          q.getSession().setAttribute("cart", new Connection());
          for (int i = 0; i < 3_000; i++) {
            a.getWriter().print("0123456789");
          }
        });
    for (String page : new String[] {"sets", "large"}) {
      Answer answer = page(strict, page);
      assertEquals(500, answer.status(), answer.text);
      assertNull(answer.header("Retry-After"), answer.text);
      assertTrue(answer.body().contains("the shop is sorry"), answer.text);
      assertEquals("apples", shown(strict, "cart"));
    }
    assertEquals("apples", shown(two, "cart"));
  }
}
