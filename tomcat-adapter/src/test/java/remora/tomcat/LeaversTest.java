package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InvalidObjectException;
import java.io.ObjectInputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionBindingEvent;
import javax.servlet.http.HttpSessionBindingListener;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreState;

/**
 * A session whose owner is gone expires: its listeners are called once, at one Tomcat that lives.
 */
class LeaversTest extends ManyClients {

  /** The idle limit of these applications, in seconds. */
  private static final int IDLE_SECONDS = 1800;

  /** What a table lets pass in one entry at most, in seconds. */
  private static final int ENTRY_SECONDS = 10;

  /** What was heard, as {@code two destroyed apples}. */
  private static final List<String> heard = new CopyOnWriteArrayList<>();

  /** What else a listener does. */
  private volatile Consumer<HttpSession> also = session -> {};

  /** A value that hears when its session lets it go. */
  static final class Bound implements HttpSessionBindingListener, Serializable {
    private static final long serialVersionUID = 1L;
    private final String name;

    Bound(String name) {
      this.name = name;
    }

    @Override
    public void valueBound(HttpSessionBindingEvent event) {
      heard.add("bound " + name);
    }

    @Override
    public void valueUnbound(HttpSessionBindingEvent event) {
      heard.add("unbound " + name);
    }
  }

  /** A value that can be written and not be read. */
  static final class Broken implements Serializable {
    private static final long serialVersionUID = 1L;

    private void readObject(ObjectInputStream input) throws IOException {
      throw new InvalidObjectException("as asked");
    }
  }

  @BeforeEach
  void listen() {
    heard.clear();
    pages.page("break", (q, a) -> q.getSession().setAttribute("broken", new Broken()));
    pages.page("bind", (q, a) -> q.getSession().setAttribute("value", new Bound("value")));
    listenAt(one, "one");
    listenAt(two, "two");
  }

  private void listenAt(Node node, String name) {
    HttpSessionListener listener =
        new HttpSessionListener() {
          @Override
          public void sessionDestroyed(HttpSessionEvent event) {
            heard.add(name + " destroyed " + event.getSession().getAttribute("cart"));
            also.accept(event.getSession());
          }
        };
    ((StandardContext) node.context).addApplicationLifecycleListener(listener);
  }

  /** The owner is gone without a word. */
  private static void kill(Node node) throws Exception {
    node.store.close();
    node.store.stand(StoreState.Kind.AWAY);
    node.tomcat.stop();
    heard.clear();
  }

  private void expire() {
    for (int i = 0; i <= IDLE_SECONDS / ENTRY_SECONDS; i++) {
      tomcats.table.passTime(TimeUnit.SECONDS.toMillis(ENTRY_SECONDS));
    }
  }

  /** A session of a Tomcat that is not here any more; gives its key. */
  private SessionKey stranded(int number, SessionChange.Builder change) {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    Arrays.fill(hash, (byte) number);
    SessionKey key = new SessionKey("gone", hash);
    FakeStore owner = tomcats.stranger();
    owner.save(owner.nextSerial(), key, change.build());
    return key;
  }

  private static SessionChange.Builder creation() {
    return SessionChange.of(0, 0).maxIdleSeconds(IDLE_SECONDS);
  }

  /** The bytes of a short text, as the codec writes them. */
  private static byte[] text(String text) {
    byte[] bytes = new byte[text.length() + 1];
    bytes[0] = (byte) text.length();
    for (int i = 0; i < text.length(); i++) {
      bytes[i + 1] = (byte) text.charAt(i);
    }
    return bytes;
  }

  private static SessionChange.Builder cart(String value) {
    return creation().set("cart", 1, text(value));
  }

  private static void awaitHeard(String... all) throws Exception {
    Conditions.await("" + Arrays.asList(all), () -> heard.size() >= all.length);
    assertEquals(Arrays.asList(all), heard);
  }

  /**
   * Whatever was offered so far has been taken up or left: a later one was heard, and only these.
   */
  private void assertOnlyHeard(String... all) throws Exception {
    stranded(99, cart("later"));
    also = session -> {};
    expire();
    Conditions.await(
        "the later one", () -> heard.stream().anyMatch(each -> each.endsWith("later")));
    List<String> others = new ArrayList<>(heard);
    assertTrue(others.remove(others.size() - 1).endsWith("destroyed later"), "" + heard);
    assertEquals(Arrays.asList(all), others);
  }

  @Test
  void the_listeners_of_a_dead_tomcats_session_are_called_at_one_that_lives() throws Exception {
    assertAnswered(page(one, "bind"));
    kill(one);
    expire();
    awaitHeard("two destroyed apples", "unbound value");
    assertEquals(1, two.calls.all("bury").size());
    assertEquals(0, two.calls.all("remove").size(), "it is gone, and nothing asks to end it");
    tomcats.table.offerAgain();
    assertOnlyHeard("two destroyed apples", "unbound value");
    assertEquals("none", shown(two, "cart"));
  }

  @Test
  void the_listeners_of_a_stopped_tomcats_session_are_called_at_one_that_lives() throws Exception {
    assertAnswered(page(one, "bind"));
    one.tomcat.stop();
    heard.clear();
    expire();
    awaitHeard("two destroyed apples", "unbound value");
    assertOnlyHeard("two destroyed apples", "unbound value");
  }

  @Test
  void an_owner_that_lives_is_told_and_nobody_is_offered_it() throws Exception {
    assertAnswered(page(one, "bind"));
    heard.clear();
    expire();
    awaitHeard("one destroyed apples", "unbound value");
    assertOnlyHeard("one destroyed apples", "unbound value");
    assertEquals(1, one.calls.all("bury").size() + two.calls.all("bury").size());
  }

  /**
   * Has the session offered, and once more while the second Tomcat asks to bury it; opened, that
   * goes on.
   */
  private CountDownLatch offeredAgainWhileTwoAsks() throws Exception {
    CountDownLatch asks = new CountDownLatch(1);
    CountDownLatch goesOn = new CountDownLatch(1);
    two.calls.before(
        "bury",
        () -> {
          asks.countDown();
          awaitOpen(goesOn);
        });
    expire();
    awaitOpen(asks);
    tomcats.table.offerAgain();
    return goesOn;
  }

  @Test
  void of_two_that_are_offered_it_only_the_first_to_bury_it_calls_the_listeners() throws Exception {
    Node third = tomcats.start("third", null);
    listenAt(third, "third");
    kill(one);
    CountDownLatch goesOn = offeredAgainWhileTwoAsks();
    awaitHeard("third destroyed apples");
    goesOn.countDown();
    Conditions.await("answer", () -> Boolean.FALSE.equals(two.calls.last("bury").outcome));
    assertOnlyHeard("third destroyed apples");
  }

  @Test
  void an_offer_that_is_repeated_while_the_first_waits_is_one() throws Exception {
    kill(one);
    CountDownLatch goesOn = offeredAgainWhileTwoAsks();
    goesOn.countDown();
    awaitHeard("two destroyed apples");
    assertOnlyHeard("two destroyed apples");
    assertEquals(2, two.calls.all("bury").size());
  }

  @Test
  void an_attribute_that_cannot_be_decoded_does_not_stop_the_others() throws Exception {
    assertAnswered(page(one, "break"));
    assertAnswered(page(one, "bind"));
    kill(one);
    also = session -> heard.add("broken is " + session.getAttribute("broken"));
    expire();
    awaitHeard("two destroyed apples", "broken is null", "unbound value");
    assertOnlyHeard("two destroyed apples", "broken is null", "unbound value");
  }

  @Test
  void a_listener_that_throws_stops_no_other() throws Exception {
    assertAnswered(page(one, "bind"));
    kill(one);
    stranded(1, cart("left"));
    also =
        session -> {
          throw new IllegalStateException("as asked");
        };
    expire();
    Conditions.await("all ends", () -> heard.size() == 3);
    assertTrue(heard.contains("two destroyed left"), "" + heard);
    assertTrue(heard.contains("two destroyed apples"), "" + heard);
    assertTrue(heard.contains("unbound value"), "" + heard);
  }

  @Test
  void what_a_listener_changes_goes_nowhere() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    pages.page("keep", (q, a) -> kept[0] = q.getSession());
    kill(one);
    expire();
    awaitHeard("two destroyed apples");
    cookie = two.get("/?page=set&value=pears", null).cookie();
    assertAnswered(page(two, "keep"));
    SessionKey expired = stranded(1, cart("left"));
    int saves = two.calls.all("save").size();
    also =
        session -> {
          session.setAttribute("late", "1");
          session.removeAttribute("cart");
          session.setMaxInactiveInterval(7);
          kept[0].setAttribute("cart", "plums"); // saved on the same thread, behind what is before
        };
    int before = heard.size();
    tomcats.stranger().end(expired, Push.Kind.EXPIRED);
    Conditions.await("the end", () -> heard.size() > before);
    Conditions.await("save", () -> two.calls.all("save").size() > saves);
    assertEquals("plums", shown(two, "cart"));
    assertEquals(saves + 1, two.calls.all("save").size());
    FakeStore stranger = tomcats.stranger();
    assertNull(stranger.claim(stranger.nextSerial(), expired).session());
  }

  @Test
  void no_look_up_finds_it_while_its_listeners_are_called() throws Exception {
    CountDownLatch listens = new CountDownLatch(1);
    CountDownLatch goesOn = new CountDownLatch(1);
    String[] ids = {cookie.substring(cookie.indexOf('=') + 1), null};
    also =
        session -> {
          ids[1] = session.getId();
          listens.countDown();
          try {
            awaitOpen(goesOn);
          } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
          }
        };
    kill(one);
    expire();
    awaitOpen(listens);
    assertNotEquals(ids[0], ids[1]);
    for (String id : ids) {
      assertNull(two.manager.findSession(id));
    }
    assertEquals("none", shown(two, "cart"));
    assertEquals(0, two.manager.findSessions().length);
    assertEquals(0, two.manager.getActiveSessions());
    goesOn.countDown();
    assertOnlyHeard("two destroyed apples");
  }

  @Test
  void who_does_not_know_whether_it_was_the_first_calls_nobody() throws Exception {
    kill(one);
    two.store.answerLost = "bury";
    try (LogLines log = new LogLines()) {
      expire();
      Conditions.await("word of it", () -> !log.saying("perhaps no Tomcat calls").isEmpty());
      two.store.answerLost = null;
      tomcats.table.offerAgain();
      assertOnlyHeard();
      assertEquals(1, log.saying("perhaps no Tomcat calls").size());
    }
  }

  @Test
  void a_store_that_is_away_offers_it_again() throws Exception {
    kill(one);
    away(two);
    expire();
    Conditions.await("an offer", () -> !two.calls.all("bury").isEmpty());
    back(two);
    Conditions.await(
        "the end",
        () -> {
          tomcats.table.offerAgain();
          return !heard.isEmpty();
        });
    awaitHeard("two destroyed apples");
    assertOnlyHeard("two destroyed apples");
  }

  @Test
  void an_owner_that_is_offered_its_own_session_ends_the_object_that_it_has() throws Exception {
    HttpSession[] objects = new HttpSession[2];
    pages.page("keep", (q, a) -> objects[0] = q.getSession());
    assertAnswered(page(one, "keep"));
    also = session -> objects[1] = session;
    tomcats.table.ownersAreOffered = true;
    expire();
    awaitHeard("one destroyed apples");
    assertEquals(objects[0].getId(), objects[1].getId());
    assertEquals("none", shown(one, "cart"));
    tomcats.table.offerAgain();
    assertOnlyHeard("one destroyed apples");
  }
}
