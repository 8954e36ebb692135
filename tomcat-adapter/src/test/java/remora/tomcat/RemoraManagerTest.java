package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.http.HttpSessionActivationListener;
import javax.servlet.http.HttpSessionEvent;
import org.apache.catalina.LifecycleState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.StoredSession;

/** What users may rely on, shown with real Tomcats over a store in memory. */
class RemoraManagerTest extends TwoTomcats {

  @Test
  void a_session_follows_its_user_to_another_tomcat_with_the_same_id() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer answer = two.get("/", cookie, GET);
    assertEquals("apples", answer.body());
    assertNull(answer.header("Set-Cookie"));
    assertEquals(1, two.store.count("claim"));
  }

  @Test
  void a_read_only_request_asks_the_store_nothing_and_a_changing_one_once() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    int before = one.store.countAll();
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(before, one.store.countAll());
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", "pears"));
    assertEquals(before + 1, one.store.countAll());
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", "pears"));
    assertEquals(before + 1, one.store.countAll(), "the same value again is no change");
  }

  @Test
  void a_value_mutated_in_place_is_stored() throws Exception {
    Work list =
        (request, response) -> {
          List<String> items = new ArrayList<>();
          items.add("apples");
          request.getSession().setAttribute("cart", items);
        };
    String cookie = one.get("/", null, list).cookie();
    one.get(
        "/",
        cookie,
        (request, response) -> {
          @SuppressWarnings("unchecked")
          List<String> items = (List<String>) request.getSession().getAttribute("cart");
          items.add("pears");
        });
    assertEquals("[apples, pears]", two.get("/", cookie, GET).body());
  }

  @Test
  void a_redirect_a_flush_and_an_early_large_body_are_stored_before_they_are_seen()
      throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    CountDownLatch seen = new CountDownLatch(1);
    String[] elsewhere = new String[1];
    one.get(
        "/",
        cookie,
        (q, a) -> {
          q.getSession().setAttribute("cart", "flushed");
          a.flushBuffer();
          elsewhere[0] = two.get("/", cookie, GET).body();
          seen.countDown();
        });
    assertTrue(seen.await(10, TimeUnit.SECONDS));
    assertEquals("flushed", elsewhere[0]);
  }

  @Test
  void two_tomcats_merge_different_attributes_and_refuse_the_same_one() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer merged =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("mine", "1");
              two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("theirs", "2"));
            });
    assertEquals(200, merged.status());
    assertEquals(
        "12",
        one.get(
                "/",
                cookie,
                (q, a) ->
                    a.getWriter()
                        .print(
                            ""
                                + q.getSession().getAttribute("mine")
                                + q.getSession().getAttribute("theirs")))
            .body());
    Answer conflict =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("cart", "here");
              two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("cart", "there"));
            });
    assertRefused(conflict, "certain");
    assertEquals("there", one.get("/", cookie, GET).body());
  }

  @Test
  void a_logout_is_true_everywhere_before_it_is_answered() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    two.get("/", cookie, (q, a) -> q.getSession().invalidate());
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals("none", two.get("/", cookie, GET).body());
  }

  @Test
  void a_slow_request_does_not_bring_a_logged_out_session_back() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer slow =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              q.getSession().setAttribute("cart", "revived");
              two.get("/", cookie, (q2, a2) -> q2.getSession().invalidate());
            });
    assertRefused(slow, "certain");
    assertEquals("none", two.get("/", cookie, GET).body());
    assertEquals("none", one.get("/", cookie, GET).body());
  }

  @Test
  void a_rotated_id_closes_the_old_one_and_keeps_the_session() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer rotated = one.get("/", cookie, (q, a) -> q.changeSessionId());
    assertNotNull(rotated.cookie());
    assertNotEquals(cookie, rotated.cookie());
    assertEquals("apples", two.get("/", rotated.cookie(), GET).body());
    assertEquals("none", two.get("/", cookie, GET).body());
    assertEquals("none", one.get("/", cookie, GET).body());
  }

  @Test
  void an_id_from_a_client_is_never_adopted() throws Exception {
    String planted = "JSESSIONID=AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDD";
    Answer answer = one.get("/", planted, SET);
    assertNotNull(answer.cookie());
    assertNotEquals(planted, answer.cookie());
  }

  @Test
  void an_absurd_id_costs_no_round_trip_and_an_unknown_one_a_single_one() throws Exception {
    one.get("/", "JSESSIONID=../../etc/passwd", GET);
    one.get("/", "JSESSIONID=short", GET);
    assertEquals(0, one.store.countAll());
    one.get("/", "JSESSIONID=AAAAAAAABBBBBBBBCCCCCCCCDDDDDDDD", GET);
    assertEquals(1, one.store.countAll());
  }

  @Test
  void a_copy_that_may_be_old_is_checked_before_it_is_used() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.store.untrusted = true; // and hears no pushes
    two.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", "newer"));
    assertEquals("newer", one.get("/", cookie, GET).body());
  }

  @Test
  void a_stopped_tomcat_hands_its_sessions_over_and_destroys_none() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.tomcat.stop();
    assertEquals(1, one.store.count("release"));
    assertEquals(0, one.store.count("remove"));
    assertEquals("apples", two.get("/", cookie, GET).body());
  }

  @Test
  void a_second_manager_of_the_same_application_refuses_to_start() throws Exception {
    Node third = tomcats.start("one", null);
    assertFalse(third.context.getState().isAvailable());
    assertEquals(LifecycleState.STARTED, one.context.getState());
  }

  @Test
  void with_a_route_the_cookie_follows_the_failover_and_the_bare_id_stays() throws Exception {
    Node a = tomcats.start("three", "n1");
    Node b = tomcats.start("four", "n2");
    String cookie = a.get("/", null, SET).cookie();
    assertTrue(cookie.endsWith(".n1"), cookie);
    Answer moved = b.get("/", cookie, GET);
    assertEquals("apples", moved.body());
    assertEquals(cookie.replace(".n1", ".n2"), moved.cookie());
    assertEquals(0, b.store.count("rename"));
    assertNull(b.get("/", moved.cookie(), GET).cookie());
  }

  /** An attribute that counts how often it hears that it has moved. */
  public static final class Traveller implements HttpSessionActivationListener, Serializable {
    private static final long serialVersionUID = 1L;
    private static final AtomicInteger arrivals = new AtomicInteger();

    @Override
    public void sessionDidActivate(HttpSessionEvent event) {
      assertEquals("apples", event.getSession().getAttribute("cart"));
      arrivals.incrementAndGet();
    }
  }

  @Test
  void an_attribute_hears_once_that_it_has_moved_when_it_is_first_asked_for() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("traveller", new Traveller()));
    Work ask = (q, a) -> assertNotNull(q.getSession().getAttribute("traveller"));
    int before = Traveller.arrivals.get();
    assertEquals(200, two.get("/", cookie, ask).status());
    assertEquals(200, two.get("/", cookie, ask).status());
    assertEquals(before + 1, Traveller.arrivals.get());
  }

  @Test
  void an_attribute_hears_each_time_that_its_session_comes_back() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("traveller", new Traveller()));
    Work ask = (q, a) -> assertNotNull(q.getSession().getAttribute("traveller"));
    int before = Traveller.arrivals.get();
    assertEquals(200, two.get("/", cookie, ask).status());
    assertEquals(before + 1, Traveller.arrivals.get());
    assertEquals(200, one.get("/", cookie, ask).status()); // the same object, as nobody changed it
    assertEquals(before + 2, Traveller.arrivals.get());
    assertEquals(200, one.get("/", cookie, ask).status());
    assertEquals(before + 2, Traveller.arrivals.get());
  }

  @Test
  void an_attribute_that_cannot_be_read_is_hidden_and_keeps_its_bytes() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    RemoraSession session = (RemoraSession) one.manager.findSessions()[0];
    byte[] foreign = {1, 2, 3};
    one.store.save(
        one.store.nextSerial(),
        session.held().key(),
        SessionChange.of(session.held().standing().epoch(), session.held().standing().version())
            .set("foreign", 9999, foreign)
            .build());
    Work names =
        (q, a) -> {
          q.getSession().setAttribute("cart", "pears");
          a.getWriter().print(q.getSession().getAttribute("foreign"));
          a.getWriter().print(Collections.list(q.getSession().getAttributeNames()));
        };
    assertEquals("null[cart]", two.get("/", cookie, names).body());
    session = (RemoraSession) two.manager.findSessions()[0];
    StoredSession record = one.store.claim(one.store.nextSerial(), session.held().key()).session();
    assertEquals(2, record.attributes().size());
    assertArrayEquals(foreign, record.attributes().get(1).bytes());
  }

  @Test
  void a_change_after_the_head_has_left_is_stored_before_the_answer_ends() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              a.getWriter().print("early");
              a.flushBuffer();
              q.getSession().setAttribute("cart", "late");
            });
    assertTrue(answer.text.endsWith("0\r\n\r\n"), answer.text);
    assertEquals("late", two.get("/", cookie, GET).body());
  }

  @Test
  void an_idle_copy_that_moved_unheard_is_not_taken_back() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.get("/", cookie, (q, a) -> q.getSession().setMaxInactiveInterval(1));
    one.store.untrusted = true; // and hears no pushes
    two.get("/", cookie, GET);
    one.passTime(60);
    int claims = one.store.count("claim");
    int checks = one.store.count("check");
    one.manager.processExpires();
    Conditions.await("check", () -> one.store.count("check") == checks + 1);
    assertEquals(claims, one.store.count("claim"));
  }

  @Test
  void what_is_wrong_with_the_manager_element_is_said_in_a_sentence() throws Exception {
    ManagerOptions options = new ManagerOptions();
    options.onStoreLoss = "panic";
    assertSays("it is \"serve\" or \"refuse\"", options::serves);
    options.onConflict = "merge";
    assertSays("it is \"refuse\" or \"overwrite\"", options::overwrites);
    options.onUnserializable = "ignore";
    assertSays("it is \"local\" or \"fail\"", options::keepsLocal);
    assertSays("needs store=", () -> options.storeOptions(null));
    options.store = "h1";
    assertSays("host:port", () -> options.storeOptions(null));
    options.store = "h1:7400";
    options.storeTimeout = "5";
    assertSays("not a duration", () -> options.storeOptions(null));
    options.storeTimeout = "800ms";
    assertEquals(800, options.storeOptions(null).timeoutMillis());
    assertEquals("n1", options.storeOptions("n1").node());
    options.tlsCert = "n1.pem";
    assertSays("tlsAuthority and tlsKey are missing", () -> options.storeOptions(null));
    options.tlsKey = "n1.key";
    assertSays("tlsAuthority is missing", () -> options.storeOptions(null));
    options.store = "192.0.2.1:7400";
    options.tlsAuthority = "authority.pem";
    assertEquals("n1.pem", "" + options.storeOptions(null).tls().cert().getFileName());
    options.tlsAuthority = options.tlsCert = options.tlsKey = null;
    assertSays("192.0.2.1:7400 is not on the loopback", () -> options.storeOptions(null));
    options.allowPlaintext = true;
    assertNull(options.storeOptions(null).tls());
    for (String odd :
        Arrays.asList(
            "10.0.0.5:8080", "http://", "http://h:8080/shop", "ajp://h:8009", "http://h:0")) {
      options.url = odd;
      assertSays("http://10.0.0.5:8080", options::url);
    }
    for (String everywhere : Arrays.asList("http://0.0.0.0:8080", "http://[::]:8080")) {
      options.url = everywhere;
      assertSays("no machine", options::url);
    }
    options.url = " https://[fd00::5]:8443/ ";
    assertEquals("https://[fd00::5]:8443", options.url());
    options.key = "short";
    assertSays("at least 16 bytes", () -> options.secret(null));
    options.keyFile = "also";
    assertSays("not both", () -> options.secret(null));
  }

  private static void assertSays(String part, Executable refused) {
    String message = assertThrows(IllegalArgumentException.class, refused).getMessage();
    assertTrue(message.contains(part), message);
  }
}
