package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.InetAddress;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;
import org.apache.catalina.Context;
import org.apache.catalina.session.StandardManager;
import org.apache.catalina.startup.Tomcat;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.Push;

/** The log is true, says each thing once, and names no session id. */
class TrueLogTest extends ManyClients {

  private LogLines log;

  @BeforeEach
  void listen() {
    log = new LogLines();
  }

  @AfterEach
  void stopListening() {
    log.close();
  }

  private void assertQuiet() {
    assertEquals(Collections.emptyList(), log.lines(Level.WARNING));
  }

  private void assertNoIdIsNamed() {
    String id = cookie.substring(cookie.indexOf('=') + 1);
    for (String line : log.lines(Level.ALL)) {
      assertFalse(line.contains(id), line);
    }
  }

  @Test
  void a_healthy_day_is_quiet() throws Exception {
    Node third = tomcats.start("third", null);
    third.work = pages;
    assertAnswered(page(third, "set&value=pears"));
    assertEquals("pears", shown(one, "cart"));
    assertEquals("pears", shown(two, "cart"));
    assertAnswered(page(two, "logout"));
    third.tomcat.stop();
    assertQuiet();
    assertNoIdIsNamed();
  }

  @Test
  void start_and_stop_say_one_line_each_with_application_store_node_and_mode() throws Exception {
    Node third = tomcats.start("third", "n3");
    List<String> start = log.lines(Level.INFO);
    assertEquals(1, start.size(), "" + start);
    for (String part : new String[] {"third:localhost", "127.0.0.1:1", "n3", "serve"}) {
      assertTrue(start.get(0).contains(part), part + " is missing in: " + start);
    }
    third.work = pages;
    assertAnswered(third.get("/?page=set&value=pears", null));
    third.tomcat.stop();
    List<String> stop = log.lines(Level.INFO).subList(1, log.lines(Level.INFO).size());
    assertEquals(1, stop.size(), "" + stop);
    assertTrue(stop.get(0).contains("third:localhost"), "" + stop);
    assertTrue(stop.get(0).contains("1"), "how many sessions were handed over: " + stop);
    assertQuiet();
  }

  @Test
  void a_tomcat_without_a_route_is_called_after_its_host() throws Exception {
    assertNull(one.tomcat.getEngine().getJvmRoute());
    String host = InetAddress.getLocalHost().getHostName();
    String environment = System.getenv("HOSTNAME");
    String node = one.options.node();
    assertTrue(node.equals(host) || node.equals(environment), node);
  }

  @Test
  void an_application_with_a_manager_of_its_own_is_said_to_be_unprotected() throws Exception {
    Node third =
        tomcats.start(
            "third",
            null,
            node -> {
              Context other = node.tomcat.addContext("/other", node.context.getDocBase());
              other.setManager(new StandardManager());
              HttpServlet servlet =
                  new HttpServlet() {
                    private static final long serialVersionUID = 1L;

                    @Override
                    protected void doGet(HttpServletRequest q, HttpServletResponse a) {
                      q.getSession();
                    }
                  };
              Tomcat.addServlet(other, "other", servlet);
              other.addServletMappingDecoded("/*", "other");
            });
    Conditions.await("line", () -> log.saying("/other", "StandardManager").size() == 1);
    Map<String, Set<String>> told = new HashMap<>();
    told.put("localhost", Collections.singleton("localhost/other"));
    Conditions.await("word to the store", () -> third.store.unprotected.equals(told));
  }

  @Test
  void changes_after_a_logout_elsewhere_say_at_most_one_line_and_no_stack() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    pages.page("keep", (q, a) -> kept[0] = q.getSession());
    assertAnswered(page(one, "keep"));
    assertAnswered(page(two, "logout"));
    for (int i = 0; i < 25; i++) {
      try {
        kept[0].setAttribute("cart", "late" + i);
      } catch (IllegalStateException ended) {
        break;
      }
    }
    assertEquals("none", shown(one, "cart"));
    one.tomcat.stop(); // whatever was to be said has been said
    assertTrue(log.lines(Level.WARNING).size() <= 1, "" + log.lines(Level.WARNING));
    for (LogRecord record : log.from(Level.INFO)) {
      assertTrue(record.getLevel().intValue() < Level.SEVERE.intValue(), record.getMessage());
      assertNull(record.getThrown(), record.getMessage());
    }
    assertNoIdIsNamed();
  }

  @Test
  void a_logout_elsewhere_and_an_expiry_say_nothing() throws Exception {
    assertEquals("apples", shown(one, "cart"));
    assertAnswered(page(two, "logout"));
    assertEquals("none", shown(one, "cart"));
    cookie = one.get("/", null, SET).cookie();
    one.work = pages;
    one.store.end(one.calls.key(), Push.Kind.EXPIRED);
    assertEquals("none", shown(one, "cart"));
    assertQuiet();
  }

  @Test
  void a_late_change_that_is_stored_says_nothing() throws Exception {
    pages.page(
        "late",
        (q, a) -> {
          a.getWriter().print("early");
          a.flushBuffer();
          q.getSession().setAttribute("cart", "late");
        });
    assertAnswered(page(one, "late"));
    assertEquals("late", shown(two, "cart"));
    assertQuiet();
  }

  @Test
  void a_cut_answer_is_not_called_a_503() throws Exception {
    pages.page(
        "late",
        (q, a) -> {
          a.getWriter().print("early");
          a.flushBuffer();
          assertAnswered(page(two, "set&value=there"));
          q.getSession().setAttribute("cart", "late");
        });
    Answer cut = answered(ask(one, "late"));
    assertEquals(200, cut.status(), cut.text);
    List<String> lines = log.lines(Level.WARNING);
    assertEquals(1, lines.size(), "" + lines);
    assertFalse(lines.get(0).matches("(?s).*\\b503\\b.*"), lines.get(0));
  }

  @Test
  void a_refused_answer_says_application_session_and_attribute() throws Exception {
    pages.page(
        "conflict",
        (q, a) -> {
          q.getSession().setAttribute("cart", "here");
          assertAnswered(page(two, "set&value=there"));
        });
    assertRefused(answered(ask(one, "conflict")), "certain");
    List<String> lines = log.lines(Level.WARNING);
    assertEquals(1, lines.size(), "" + lines);
    String hash = one.calls.key().toString();
    String shortHash = hash.substring(hash.lastIndexOf('/') + 1).substring(0, 8);
    for (String part : new String[] {one.manager.getApplication(), shortHash, "cart"}) {
      assertTrue(lines.get(0).contains(part), part + " is missing in: " + lines.get(0));
    }
    assertNoIdIsNamed();
  }
}
