package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.proto.v1.AnnounceRequest;
import remora.proto.v1.Formats;
import remora.proto.v1.Refusal;
import remora.proto.v1.Status;
import remora.tomcat.Conditions;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreUnavailableException;

/** What the client takes from a node's first words, and what it says of itself. */
@Timeout(60)
class WelcomeTest {

  private static int limitSaid(long said, long instance) throws Exception {
    try (FakeNode node = new FakeNode()) {
      node.sessionBytesMax = said;
      try (SessionStore store =
          GrpcSessionStore.openAs(new StoreOptions(node.address(), "n1", 5_000), instance)) {
        store.check(new SessionKey("localhost/shop", new byte[16]), 1, 1); // after the welcome
        return store.sessionBytesMax();
      }
    }
  }

  @Test
  void the_limit_on_a_session_is_the_stores() throws Exception {
    assertEquals(3 << 20, limitSaid(3 << 20, 2001));
    assertEquals(1000, limitSaid(1000, 2002));
    assertEquals(SessionStore.SESSION_BYTES_MAX_DEFAULT, limitSaid(0, 2003));
  }

  @Test
  void the_limit_on_a_session_is_never_more_than_a_message_can_hold() throws Exception {
    int most = limitSaid(-1, 2004);
    assertEquals(most, limitSaid(Long.MAX_VALUE, 2005));
    assertEquals(most, limitSaid(4 << 20, 2006));
  }

  /** What the log says of a search that cannot succeed, and what the caller hears. */
  private static List<String> complaints(FakeNode node, FakeNode other, long instance) {
    List<String> logged = new CopyOnWriteArrayList<>();
    Handler handler =
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            if (record.getLevel() == Level.SEVERE) {
              logged.add(record.getMessage());
            }
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    Logger log = Logger.getLogger(LeaderLog.class.getName());
    log.addHandler(handler);
    String addresses = node.address() + "," + other.address();
    try (SessionStore store =
        GrpcSessionStore.openAs(new StoreOptions(addresses, "n1", 200), instance)) {
      SessionKey key = new SessionKey("localhost/shop", new byte[16]);
      Conditions.await(
          "repeated refusals",
          () -> {
            assertThrows(StoreUnavailableException.class, () -> store.check(key, 1, 1));
            return node.hellos.size() > 3 && other.hellos.size() > 3 && logged.size() > 0;
          });
      for (int i = 0; i < 5; i++) {
        StoreUnavailableException heard =
            assertThrows(StoreUnavailableException.class, () -> store.check(key, 1, 1));
        String cause = logged.get(0).replace("session store: ", "");
        assertTrue(heard.getMessage().contains(cause), heard.getMessage());
      }
    } catch (Exception failed) {
      throw new AssertionError(failed);
    } finally {
      log.removeHandler(handler);
    }
    return logged;
  }

  private static Refusal refusal(Refusal.Reason reason, String message) {
    return Refusal.newBuilder().setReason(reason).setMessage(message).build();
  }

  @Test
  void the_hello_says_a_range_of_formats_and_a_refused_one_is_told_once_and_to_callers()
      throws Exception {
    try (FakeNode leader = new FakeNode();
        FakeNode follower = new FakeNode()) {
      leader.refusal = refusal(Refusal.Reason.REASON_WRONG_VERSION, "upgrade the jar");
      follower.refusal = refusal(Refusal.Reason.REASON_NOT_LEADER, "another node leads");
      assertEquals(
          Collections.singletonList("session store: " + leader.address() + ": upgrade the jar"),
          complaints(leader, follower, 2008));
      Formats said = leader.hellos.get(0).getUnderstands();
      assertTrue(1 <= said.getOldest() && said.getOldest() <= said.getNewest());
    }
  }

  @Test
  void a_store_whose_durations_break_an_order_is_not_used() throws Exception {
    try (FakeNode leader = new FakeNode();
        FakeNode follower = new FakeNode()) {
      leader.durations = leader.durations.toBuilder().setTrustMs(300).build();
      follower.refusal = refusal(Refusal.Reason.REASON_NOT_LEADER, "another node leads");
      List<String> logged = complaints(leader, follower, 2009);
      assertEquals(1, logged.size());
      assertTrue(logged.get(0).contains("the store's durations do not fit"), logged.get(0));
      assertEquals(0, leader.messages.size());
    }
  }

  @Test
  void trust_lasts_as_long_as_the_store_says() throws Exception {
    try (FakeNode node = new FakeNode()) {
      node.durations =
          node.durations.toBuilder().setTrustMs(600_000).setEvictedWithinMs(700_000).build();
      StoreOptions options = new StoreOptions(node.address(), "n1", 5_000);
      try (SessionStore store = GrpcSessionStore.openAs(options, 2010)) {
        SessionKey key = new SessionKey("localhost/shop", new byte[16]);
        store.check(key, 1, 1);
        node.stream.confirm();
        long readAt = System.nanoTime();
        long end = readAt + TimeUnit.MILLISECONDS.toNanos(1_100);
        Conditions.await(
            "more silence than today's store would be trusted for", () -> System.nanoTime() > end);
        assertTrue(store.nearCopyTrusted(readAt));
        assertEquals(1, node.hellos.size(), "silent, and not left");
      }
    }
  }

  private static Announcement announcement(String application) {
    return new Announcement(
        "n1",
        "http://127.0.0.1:8080",
        application,
        "serve",
        "0.1.0",
        200,
        application.endsWith("shop"));
  }

  @Test
  void a_tomcat_says_what_it_serves_and_how_it_fares_and_that_it_stops() throws Exception {
    try (FakeNode node = new FakeNode()) {
      StoreOptions options = new StoreOptions(node.address(), "n1", 5_000);
      SessionStore shop = GrpcSessionStore.openAs(options, 2011);
      SessionStore forum = GrpcSessionStore.openAs(options, 2011);
      shop.announceUnprotected("localhost", Collections.singleton("localhost/own"));
      shop.announce(announcement("localhost/shop"));
      forum.announce(announcement("localhost/forum"));
      shop.onStatus(
          "localhost/shop",
          () -> new ApplicationStatus(3, 4, 5, 6, 7, 8, Collections.nCopies(40, "a.B")));
      forum.onStatus(
          "localhost/forum",
          () -> {
            throw new IllegalStateException("as asked");
          });
      SessionKey key = new SessionKey("localhost/shop", new byte[16]);
      shop.check(key, 1, 1);
      node.stream.confirm();
      Conditions.await("announcement", () -> !node.announcements.isEmpty());
      AnnounceRequest said = node.announcements.get(0);
      assertEquals(2011, said.getCaller().getInstance());
      assertEquals("n1", said.getCaller().getNode());
      assertEquals("http://127.0.0.1:8080", said.getUrl());
      assertEquals(Arrays.asList("localhost/forum", "localhost/shop"), said.getApplicationsList());
      assertEquals(Collections.singletonList("localhost/own"), said.getUnprotectedList());
      assertEquals(Collections.singletonList("localhost/shop"), said.getListenedList());
      assertEquals(
          "serve 0.1.0 200", said.getMode() + " " + said.getVersion() + " " + said.getThreads());
      Conditions.await(
          "status",
          () -> {
            shop.check(key, 1, 1);
            return !node.statuses.isEmpty();
          });
      Status status = node.statuses.get(0);
      assertEquals("3 4", status.getBusy() + " " + status.getInFlight());
      assertEquals(1, status.getApplicationsCount());
      Status.Application one = status.getApplications(0);
      assertEquals(
          "localhost/shop 5 6 7 8 32",
          one.getApplication()
              + " "
              + one.getLocal()
              + " "
              + one.getUndecodable()
              + " "
              + one.getRefused()
              + " "
              + one.getChangedInPlace()
              + " "
              + one.getClassesCount());
      forum.close();
      assertEquals(0, node.retirements.size());
      shop.close();
      assertEquals("n1", node.retirements.get(0).getCaller().getNode());
    }
  }

  @Test
  void the_limit_is_the_default_while_no_node_has_spoken() throws Exception {
    try (SessionStore store =
        GrpcSessionStore.openAs(new StoreOptions("127.0.0.1:1", "n1", 1), 2007)) {
      assertEquals(SessionStore.SESSION_BYTES_MAX_DEFAULT, store.sessionBytesMax());
    }
  }
}
