package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.logging.Level;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.proto.v1.AnnounceRequest;
import remora.proto.v1.Refusal;
import remora.tomcat.Conditions;
import remora.tomcat.LogLines;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreState;

/** What a node hears of a Tomcat for its registry, and what it does not hear twice. */
@Timeout(60)
class RegistrarTest {

  private final List<SessionStore> open = new ArrayList<>();
  private FakeNode node;
  private long instance;

  @BeforeEach
  void start() throws Exception {
    node = new FakeNode();
    node.announced = false;
    instance = TwoNodes.INSTANCES.incrementAndGet();
  }

  @AfterEach
  void stop() {
    open.forEach(SessionStore::close);
    node.close();
  }

  private SessionStore store() {
    StoreOptions options = new StoreOptions(node.address(), "n1", 5_000);
    SessionStore store = GrpcSessionStore.openAs(options, instance);
    open.add(store);
    return store;
  }

  private static Announcement announcement(String name, String url, int threads) {
    return new Announcement("n1", url, "localhost/" + name, "serve", "0.1.0", threads, false);
  }

  private static Announcement announcement(String name) {
    return announcement(name, "http://127.0.0.1:8080", 200);
  }

  /** The node's majority stands behind its stream, whichever that is now, until it is so. */
  private void await(String what, BooleanSupplier condition) throws Exception {
    Conditions.await(
        what,
        () -> {
          FakeNode.Stream stream = node.stream;
          if (stream != null && stream.probe != 0) {
            stream.confirm();
          }
          return condition.getAsBoolean();
        });
  }

  private void awaitAnnouncements(int count) throws Exception {
    await(count + " announcements", () -> node.announcements.size() == count);
  }

  private AnnounceRequest last() {
    return node.announcements.get(node.announcements.size() - 1);
  }

  /** The client goes to another stream, which a majority confirms; and all that it then says. */
  private void reconnect() throws Exception {
    int hellos = node.hellos.size();
    FakeNode.Stream old = node.stream;
    old.end();
    await("another stream", () -> node.hellos.size() > hellos && node.stream != old);
    SessionStore again = store();
    again.check(new SessionKey("localhost/shop", new byte[16]), 1, 1);
    await("a leader", () -> again.state().kind() == StoreState.Kind.LED);
  }

  @Test
  void what_was_answered_is_not_said_again_to_a_store_that_knows_it() throws Exception {
    SessionStore store = store();
    store.announce(announcement("shop"));
    awaitAnnouncements(1);
    node.announced = true;
    reconnect();
    store.announce(announcement("shop"));
    store.announce(announcement("forum"));
    awaitAnnouncements(2);
    assertEquals(Arrays.asList("localhost/forum", "localhost/shop"), last().getApplicationsList());
  }

  @Test
  void a_store_that_does_not_know_it_is_told_again_and_so_is_another_store() throws Exception {
    store().announce(announcement("shop"));
    awaitAnnouncements(1);
    reconnect();
    awaitAnnouncements(2);
    node.announced = true;
    node.cluster = "restored";
    reconnect();
    awaitAnnouncements(3);
    assertEquals(node.announcements.get(0).getUrl(), last().getUrl());
  }

  @Test
  void each_change_of_what_is_served_is_said() throws Exception {
    SessionStore shop = store();
    SessionStore forum = store();
    shop.announce(announcement("shop"));
    awaitAnnouncements(1);
    forum.announce(announcement("forum"));
    awaitAnnouncements(2);
    assertEquals(Arrays.asList("localhost/forum", "localhost/shop"), last().getApplicationsList());
    forum.close();
    awaitAnnouncements(3);
    assertEquals(Collections.singletonList("localhost/shop"), last().getApplicationsList());
    shop.announce(announcement("shop", "http://127.0.0.1:8080", 50));
    awaitAnnouncements(4);
    assertEquals(50, last().getThreads());
  }

  @Test
  void nothing_is_said_through_a_handle_that_is_closed() throws Exception {
    SessionStore shop = store();
    SessionStore forum = store();
    shop.announce(announcement("shop"));
    awaitAnnouncements(1);
    forum.close();
    forum.announce(announcement("forum"));
    shop.announce(announcement("shop", "http://127.0.0.1:8080", 50));
    awaitAnnouncements(2);
    assertEquals(Collections.singletonList("localhost/shop"), last().getApplicationsList());
  }

  @Test
  void who_listens_everywhere_is_reached_where_it_speaks_to_the_store() throws Exception {
    store().announce(announcement("shop", "http://" + Announcement.EVERYWHERE + ":8081", 1));
    awaitAnnouncements(1);
    assertEquals("http://127.0.0.1:8081", last().getUrl());
  }

  private List<String> askedForUrl(String store, String... urls) throws Exception {
    node.announcements.clear();
    try (LogLines log = new LogLines()) {
      SessionStore asks = GrpcSessionStore.openAs(new StoreOptions(store, "n1", 5_000), instance);
      open.add(asks);
      for (int said = 0; said < urls.length; said++) {
        asks.announce(announcement("shop", urls[said], 1));
        awaitAnnouncements(said + 1);
      }
      asks.close();
      return log.saying("url=");
    }
  }

  @Test
  void who_is_announced_on_the_loopback_of_a_site_of_several_machines_is_told_once()
      throws Exception {
    String everywhere = "http://" + Announcement.EVERYWHERE + ":8081";
    String several = node.address() + ",192.0.2.1:7400"; // not asked: it would be in plaintext
    List<String> said = askedForUrl(several, everywhere, "http://127.0.0.1:8082");
    assertEquals(1, said.size(), said.toString());
    assertTrue(said.get(0).contains("http://127.0.0.1:8081"), said.get(0));
    assertEquals(Collections.emptyList(), askedForUrl(several, "http://192.0.2.7:8081"));
    assertEquals(Collections.emptyList(), askedForUrl(several, "ajp://127.0.0.1:8009"));
    assertEquals(Collections.emptyList(), askedForUrl(node.address(), everywhere));
  }

  @Test
  void a_refusal_that_lasts_is_said_once_and_so_is_its_end() throws Exception {
    try (LogLines log = new LogLines()) {
      node.registryRefusal =
          Refusal.newBuilder()
              .setReason(Refusal.Reason.REASON_FORBIDDEN)
              .setMessage("tomcat1 does not speak for localhost/shop")
              .build();
      SessionStore store = store();
      for (int threads = 1; threads < 3; threads++) {
        store.announce(announcement("shop", "http://127.0.0.1:8080", threads));
        awaitAnnouncements(threads);
      }
      List<String> warned = log.lines(Level.WARNING);
      assertEquals(1, warned.size(), warned.toString());
      assertTrue(warned.get(0).contains("tomcat1 does not speak for localhost/shop. Give tlsCert"));
      node.registryRefusal = null;
      store.announce(announcement("shop", "http://127.0.0.1:8080", 3));
      await("the good news", () -> !log.saying("registry holds now").isEmpty());
      assertEquals(3, node.announcements.size());
    }
  }

  @Test
  void applications_that_are_reached_at_two_places_are_named() throws Exception {
    try (LogLines log = new LogLines()) {
      SessionStore store = store();
      store.announce(announcement("shop"));
      store.announce(announcement("forum", "http://127.0.0.1:9090", 1));
      awaitAnnouncements(1);
      assertEquals(1, log.saying("announced as n1 at http://127.0.0.1:9090", "8080").size());
    }
  }

  @Test
  void a_call_that_breaks_is_made_again() throws Exception {
    node.registryRefusal =
        Refusal.newBuilder()
            .setReason(Refusal.Reason.REASON_OVERLOADED)
            .setMessage("too much waits")
            .build();
    store().announce(announcement("shop"));
    await("tries", () -> node.announcements.size() > 2);
    node.registryRefusal = null;
    int tried = node.announcements.size();
    await("another try", () -> node.announcements.size() > tried);
  }

  @Test
  void who_leaves_is_taken_out_once_and_is_not_entered_again() throws Exception {
    SessionStore store = store();
    store.announce(announcement("shop"));
    awaitAnnouncements(1);
    assertTrue(store.leave().isHeard(20_000));
    assertEquals(1, node.retirements.size());
    assertEquals("n1", node.retirements.get(0).getCaller().getNode());
    reconnect();
    assertTrue(store.leave().isHeard(20_000));
    open.forEach(SessionStore::close);
    assertEquals(1, node.retirements.size());
    assertEquals(1, node.announcements.size());
  }

  @Test
  void who_leaves_waits_until_the_store_answers_and_no_longer_than_it_may() throws Exception {
    SessionStore store = store();
    store.announce(announcement("shop"));
    awaitAnnouncements(1);
    node.registryFrozen = true;
    assertFalse(store.leave().isHeard(1));
    await("the retirement", () -> node.retirements.size() == 1);
    FutureTask<Boolean> leaves = new FutureTask<>(() -> store.leave().isHeard(20_000));
    new Thread(leaves, "leaves").start();
    Conditions.await("wait", () -> Conditions.threadsIn(StoreClient.class, "isOut") == 1);
    node.registryFrozen = false;
    node.announced = true;
    reconnect();
    await("the retirement's repeat", leaves::isDone);
    assertTrue(leaves.get(20, TimeUnit.SECONDS));
    assertEquals(2, node.retirements.size());
    assertEquals(1, node.announcements.size());
  }

  @Test
  void who_begins_while_another_ends_goes_on_with_its_client() throws Exception {
    List<Runnable> answers = new CopyOnWriteArrayList<>();
    node.script = (request, stream) -> answers.add(() -> stream.current(request));
    SessionStore first = store();
    first.announce(announcement("shop"));
    awaitAnnouncements(1);
    new Thread(() -> first.check(new SessionKey("localhost/shop", new byte[16]), 1, 1)).start();
    await("a call in flight", () -> answers.size() == 1);
    FutureTask<Void> ends = new FutureTask<>(first::close, null);
    new Thread(ends, "ends").start();
    Conditions.await("wait", () -> Conditions.threadsIn(StoreClient.class, "release") == 1);
    store().announce(announcement("forum"));
    awaitAnnouncements(2);
    int retirements = node.retirements.size();
    answers.get(0).run();
    ends.get(20, TimeUnit.SECONDS);
    assertEquals(Collections.singletonList("localhost/forum"), last().getApplicationsList());
    assertEquals(1, node.hellos.size(), "one client, so that its words keep their order");
    assertEquals(retirements, node.retirements.size());
  }

  @Test
  void who_leaves_does_not_wait_for_an_announcement_under_way() throws Exception {
    node.registryFrozen = true;
    SessionStore store = store();
    store.announce(announcement("shop"));
    awaitAnnouncements(1);
    node.registryFrozen = false;
    assertTrue(store.leave().isHeard(TimeUnit.SECONDS.toMillis(Registrar.CALL_SECONDS_MAX - 1)));
    assertEquals(1, node.retirements.size());
  }

  @Test
  void who_finds_no_leader_does_not_wait_for_one() throws Exception {
    SessionStore store = GrpcSessionStore.openAs(new StoreOptions("127.0.0.1:1", "n1", 1), 2013);
    open.add(store);
    store.announce(announcement("shop"));
    assertFalse(store.leave().isHeard(600_000));
  }
}
