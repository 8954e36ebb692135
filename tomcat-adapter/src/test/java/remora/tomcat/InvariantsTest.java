package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.Serializable;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import javax.servlet.http.HttpSession;
import org.apache.catalina.Session;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoredSession;

/**
 * What a near copy must not lose, whatever it is made of: seen by requests and by the store alone.
 *
 * <ul>
 *   <li>A place for the news of a loss is there before the claim is sent: {@link
 *       #a_session_that_is_lost_again_before_its_claim_is_answered_is_claimed_anew}.
 *   <li>Ends of ownerships are compared unsigned, and late news of an old one ignored: {@link
 *       #news_of_an_old_ownership_says_nothing_about_a_newer_one}, {@link
 *       #news_of_a_later_ownership_ends_the_one_before}.
 *   <li>Another life of an id is another object: {@link
 *       #another_life_of_an_id_is_another_session_object}.
 *   <li>A create over a tombstone names it: {@link #an_id_that_ended_may_live_again}.
 *   <li>A live object that was replaced under a request is compared at its commit: {@link
 *       ParallelRequestsTest#a_change_in_place_of_what_another_tomcat_changed_is_a_conflict},
 *       {@link
 *       AttributesTest#a_value_that_another_tomcat_changed_twice_meanwhile_fails_no_request_that_only_read_it}.
 *   <li>Where decoding is not canonical a value is compared by its bytes encoded again: {@link
 *       #reading_a_value_that_encodes_to_other_bytes_after_a_round_trip_is_no_change}.
 *   <li>Undecodable bytes survive saves: {@link #bytes_that_cannot_be_decoded_survive_saves}.
 *   <li>Values are decoded late, the newest there are: {@link
 *       #an_attribute_that_is_replaced_while_it_is_decoded_is_the_newer_one}; and hear once that
 *       they have moved: {@link
 *       RemoraManagerTest#an_attribute_hears_once_that_it_has_moved_when_it_is_first_asked_for}.
 *   <li>A failed create vanishes: {@link #a_session_whose_create_fails_leaves_nothing}.
 *   <li>A rename of unknown outcome is finished, and only once: {@link UnknownOutcomeTest}.
 *   <li>An id believed absent is found once it is adopted or chosen here: {@link
 *       #an_id_that_was_absent_is_found_once_it_is_adopted}, {@link
 *       #an_id_that_was_absent_is_found_once_the_application_chose_it}.
 *   <li>What may leave with an answer, and when: {@link GuardedAnswersTest}.
 * </ul>
 */
class InvariantsTest extends TwoTomcats {

  private static final String PLANTED = "ABCDEFABCDEFABCDEFABCDEFABCDEFAB";

  private final ExecutorService thread = Executors.newCachedThreadPool();
  private String cookie;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
  }

  @AfterEach
  void endThread() {
    thread.shutdownNow();
  }

  private static Work set(String cart) {
    return (q, a) -> q.getSession().setAttribute("cart", cart);
  }

  /** Makes a session with an id of the application's choice. */
  private static Work makes(Node node, String id, String cart) {
    return (q, a) -> node.manager.createSession(id).getSession().setAttribute("cart", cart);
  }

  private static String cookieOf(String id) {
    return "JSESSIONID=" + id;
  }

  private static String idOf(String cookie) {
    return cookie.substring(cookie.indexOf('=') + 1);
  }

  @Test
  void a_session_that_is_lost_again_before_its_claim_is_answered_is_claimed_anew()
      throws Exception {
    two.calls.beforeAnswer("claim", () -> one.get("/", cookie, set("newer")));
    two.get("/", cookie, GET);
    assertEquals("newer", two.get("/", cookie, GET).body());
  }

  /** The ownership under which the first Tomcat holds the session after it was away. */
  private long claimedBack() throws Exception {
    two.get("/", cookie, GET);
    one.get("/", cookie, GET);
    return ((ClaimOutcome) one.calls.last("claim").outcome).session().epoch();
  }

  private void pushLost(long epoch) {
    one.calls.listener.pushed(
        new Push(one.calls.key(), Push.Kind.OWNERSHIP_LOST, epoch, 0, () -> {}));
  }

  @Test
  void news_of_an_old_ownership_says_nothing_about_a_newer_one() throws Exception {
    long epoch = claimedBack();
    int asked = one.store.countAll();
    pushLost(epoch - 1);
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(asked, one.store.countAll(), "the copy is as good as before");
    pushLost(epoch);
    pushLost(epoch - 1);
    int claims = one.store.count("claim");
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(claims + 1, one.store.count("claim"), "the newer news holds");
  }

  @Test
  void news_of_a_later_ownership_ends_the_one_before() throws Exception {
    claimedBack();
    int claims = one.store.count("claim");
    pushLost(-1); // of all ownerships the last, as versions count
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(claims + 1, one.store.count("claim"));
  }

  @Test
  void another_life_of_an_id_is_another_session_object() throws Exception {
    HttpSession[] first = new HttpSession[1];
    one.get("/", cookie, (q, a) -> first[0] = q.getSession());
    one.store.untrusted = true; // hears no pushes
    two.get("/", cookie, (q, a) -> q.getSession().invalidate());
    assertEquals(200, two.get("/", null, makes(two, idOf(cookie), "pears")).status());
    Work compares =
        (q, a) -> {
          HttpSession session = q.getSession(false);
          a.getWriter().print(session.getAttribute("cart") + " " + (session == first[0]));
        };
    assertEquals("pears false", one.get("/", cookie, compares).body());
  }

  @Test
  void an_id_that_ended_may_live_again() throws Exception {
    one.get("/", cookie, (q, a) -> q.getSession().invalidate());
    assertEquals(200, two.get("/", null, makes(two, idOf(cookie), "pears")).status());
    assertEquals("pears", two.get("/", cookie, GET).body());
  }

  @Test
  void bytes_that_cannot_be_decoded_survive_saves() throws Exception {
    byte[] foreign = {1, 2, 3};
    FakeStore stranger = tomcats.stranger();
    SessionKey key = one.calls.key();
    StoredSession record = stranger.claim(stranger.nextSerial(), key).session();
    SessionChange change =
        SessionChange.of(record.epoch(), record.version()).set("foreign", 9999, foreign).build();
    stranger.save(stranger.nextSerial(), key, change);
    Work names =
        (q, a) -> {
          q.getSession().setAttribute("cart", q.getParameter("cart"));
          a.getWriter().print(q.getSession().getAttribute("foreign"));
          a.getWriter().print(Collections.list(q.getSession().getAttributeNames()));
        };
    assertEquals("null[cart]", two.get("/?cart=pears", cookie, names).body());
    assertEquals("null[cart]", one.get("/?cart=plums", cookie, names).body());
    record = stranger.claim(stranger.nextSerial(), key).session();
    assertEquals(2, record.attributes().size());
    assertEquals("foreign", record.attributes().get(1).name());
    assertEquals(9999, record.attributes().get(1).type());
    assertArrayEquals(foreign, record.attributes().get(1).bytes());
  }

  /** What happens while bytes are being decoded; static because no stream may need it. */
  private static volatile StoreCalls.Step whileDecoded;

  /** A text that takes its time to be read. */
  private static final class Slow implements Serializable {
    private static final long serialVersionUID = 1L;
    private final String text;

    private Slow(String text) {
      this.text = text;
    }

    private void readObject(ObjectInputStream input) throws IOException, ClassNotFoundException {
      input.defaultReadObject();
      StoreCalls.Step step = whileDecoded;
      whileDecoded = null;
      try {
        if (step != null) {
          step.run();
        }
      } catch (Exception failed) {
        throw new IOException(failed);
      }
    }

    @Override
    public String toString() {
      return text;
    }
  }

  @Test
  void reading_a_value_that_encodes_to_other_bytes_after_a_round_trip_is_no_change()
      throws Exception {
    Work roomy =
        (q, a) -> {
          Map<String, Slow> map = new HashMap<>(1000); // its copy has the capacity that it needs
          map.put("first", new Slow("apples"));
          q.getSession().setAttribute("cart", map);
        };
    one.get("/", cookie, roomy);
    assertEquals("{first=apples}", two.get("/", cookie, GET).body());
    assertEquals("{first=apples}", two.get("/", cookie, GET).body());
    assertEquals(0, two.store.count("save"));
    Work changes =
        (q, a) -> {
          @SuppressWarnings("unchecked")
          Map<String, Slow> map = (Map<String, Slow>) q.getSession().getAttribute("cart");
          map.put("first", new Slow("pears"));
        };
    two.get("/", cookie, changes);
    assertEquals(1, two.store.count("save"));
    assertEquals("{first=pears}", one.get("/", cookie, GET).body());
  }

  @Test
  void an_attribute_that_is_replaced_while_it_is_decoded_is_the_newer_one() throws Exception {
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", new Slow("apples")));
    whileDecoded =
        () -> {
          one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", new Slow("pears")));
          two.work = (q, a) -> q.getSession(); // claims the session back
          thread.submit(() -> two.get("/", cookie)).get(20, TimeUnit.SECONDS);
        };
    assertEquals("pears", two.get("/", cookie, GET).body());
    assertEquals("pears", two.get("/", cookie, GET).body());
  }

  @Test
  void a_session_whose_create_fails_leaves_nothing() throws Exception {
    int sessions = one.manager.getActiveSessions();
    String[] id = new String[1];
    one.store.savesFail = true;
    Work create =
        (q, a) -> {
          SET.serve(q, a);
          id[0] = q.getSession().getId();
        };
    assertRefused(one.get("/", null, create), "certain");
    Conditions.await("end of it", () -> one.manager.getActiveSessions() == sessions);
    one.store.savesFail = false;
    assertEquals("none", one.get("/", cookieOf(id[0]), GET).body());
    assertEquals("none", two.get("/", cookieOf(id[0]), GET).body());
  }

  @Test
  void an_id_that_was_absent_is_found_once_it_is_adopted() throws Exception {
    assertEquals("none", one.get("/", cookieOf(PLANTED), GET).body());
    assertEquals(200, one.get("/", null, makes(one, PLANTED, "pears")).status());
    assertEquals("pears", one.get("/", cookieOf(PLANTED), GET).body());
  }

  /** An id that the session may take; where its keys are not to change place, one of 256. */
  private static String choose(Node node, Session session) throws IOException {
    for (int i = 0; i < 10_000; i++) {
      String id = PLANTED.substring(8) + (10_000_000 + i);
      assertEquals(null, node.manager.findSession(id));
      try {
        node.manager.changeSessionId(session, id);
        return id;
      } catch (IllegalArgumentException elsewhere) {
        continue;
      }
    }
    throw new AssertionError("no id will do");
  }

  @Test
  void an_id_that_was_absent_is_found_once_the_application_chose_it() throws Exception {
    String[] chosen = new String[1];
    Work chooses =
        (q, a) -> chosen[0] = choose(one, one.manager.findSession(q.getSession().getId()));
    Answer answer = one.get("/", cookie, chooses);
    assertEquals(200, answer.status(), answer.text);
    assertEquals("apples", one.get("/", cookieOf(chosen[0]), GET).body());
    assertEquals("apples", two.get("/", cookieOf(chosen[0]), GET).body());
    assertEquals("none", two.get("/", cookie, GET).body());
  }
}
