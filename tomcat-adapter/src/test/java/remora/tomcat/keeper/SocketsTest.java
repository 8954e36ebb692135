package remora.tomcat.keeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import remora.tomcat.store.SessionKey;

/** When sockets are closed, with a clock that a test moves. */
class SocketsTest {

  /** What is drawn, in nanoseconds: less than the spread, more than nothing. */
  private static final long JITTER_NANOS = TimeUnit.SECONDS.toNanos(4);

  private static final long LIFE = 5;

  private static SessionKey key(int name) {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    Arrays.fill(hash, (byte) name);
    return new SessionKey("localhost/shop", hash);
  }

  private static final SessionKey KEY = key(1);
  private static final SessionKey OTHER = key(2);

  /** Where a test says that sessions are. */
  private static final class Elsewhere implements Sockets.Whereabouts {
    private final Map<SessionKey, Sockets.Place> places = new HashMap<>();
    private final Map<SessionKey, Long> watched = new HashMap<>();
    private final List<SessionKey> asked = new ArrayList<>();

    @Override
    public Sockets.Place find(SessionKey key, long createdVersion) {
      return places.getOrDefault(key, Sockets.Place.away(createdVersion));
    }

    @Override
    public void ask(SessionKey key) {
      asked.add(key);
    }

    @Override
    public void watch(SessionKey key, long createdVersion) {
      watched.put(key, createdVersion);
    }

    @Override
    public void unwatch(SessionKey key) {
      watched.remove(key);
    }
  }

  /** A socket that notes what becomes of it. */
  private static final class Noted implements OpenSocket {
    private Stage stage = Stage.OPEN;
    private final List<Integer> codes = new ArrayList<>();

    @Override
    public Stage stage() {
      return stage;
    }

    @Override
    public void close(int code, String reason) throws IOException {
      assertTrue(reason.length() <= 123, reason);
      codes.add(code);
      stage = Stage.CLOSED;
    }
  }

  private final Elsewhere elsewhere = new Elsewhere();
  private final List<Runnable> timers = new ArrayList<>();
  private final Sockets sockets =
      new Sockets(elsewhere, (millis, work) -> timers.add(work), Runnable::run, () -> JITTER_NANOS);
  private long nowNanos = System.nanoTime();

  private Noted open(SessionKey key) {
    Noted socket = new Noted();
    elsewhere.places.put(key, Sockets.Place.here(LIFE));
    sockets.opened(key, LIFE, socket);
    return socket;
  }

  private void look() {
    sockets.look(nowNanos);
  }

  private void pass(long nanos) {
    nowNanos += nanos;
    look();
  }

  private void away(SessionKey key) {
    elsewhere.places.put(key, Sockets.Place.away(LIFE));
    look();
  }

  private static void assertOpen(Noted socket) {
    assertEquals(Collections.emptyList(), socket.codes);
  }

  private static void assertClosed(int code, Noted socket) {
    assertEquals(Collections.singletonList(code), socket.codes);
  }

  @Test
  void an_end_closes_every_socket_of_the_session_and_no_other() {
    Noted first = open(KEY);
    Noted second = open(KEY);
    Noted other = open(OTHER);
    sockets.ended(KEY, LIFE);
    sockets.ended(KEY, LIFE);
    assertClosed(1008, first);
    assertClosed(1008, second);
    assertOpen(other);
  }

  @Test
  void the_end_of_an_earlier_life_of_the_key_closes_nothing() {
    Noted socket = open(KEY);
    sockets.ended(KEY, LIFE - 1);
    assertOpen(socket);
  }

  @Test
  void a_session_that_is_gone_closes_its_sockets_though_nobody_told() {
    Noted socket = open(KEY);
    elsewhere.places.put(KEY, Sockets.Place.OVER);
    look();
    assertClosed(1008, socket);
  }

  @Test
  void a_session_that_moved_is_watched_and_its_sockets_close_when_it_does_not_come_back() {
    Noted socket = open(KEY);
    look();
    assertEquals(Collections.emptyMap(), elsewhere.watched, "it is here");
    away(KEY);
    assertEquals(Collections.singletonMap(KEY, LIFE), elsewhere.watched);
    pass(Sockets.AWAY_NANOS_MAX);
    assertOpen(socket);
    pass(JITTER_NANOS);
    assertClosed(1012, socket);
    assertEquals(Collections.emptyMap(), elsewhere.watched);
  }

  @Test
  void a_session_that_came_back_in_time_keeps_its_sockets() {
    Noted socket = open(KEY);
    away(KEY);
    pass(Sockets.AWAY_NANOS_MAX);
    elsewhere.places.put(KEY, Sockets.Place.here(LIFE));
    look();
    assertEquals(Collections.emptyMap(), elsewhere.watched);
    pass(Sockets.AWAY_NANOS_MAX + Sockets.SPREAD_NANOS);
    assertOpen(socket);
    away(KEY);
    pass(Sockets.AWAY_NANOS_MAX);
    assertOpen(socket);
    sockets.ended(KEY, LIFE);
    assertClosed(1008, socket);
  }

  @Test
  void sockets_follow_their_session_to_its_new_key_here_and_elsewhere() {
    Noted here = open(KEY);
    elsewhere.places.put(OTHER, Sockets.Place.here(LIFE));
    sockets.renamedHere(KEY, OTHER);
    look();
    assertOpen(here);
    away(OTHER);
    elsewhere.watched.remove(OTHER);
    elsewhere.watched.put(key(3), LIFE); // as the store does that tells
    sockets.renamed(OTHER, key(3));
    sockets.ended(OTHER, LIFE);
    assertOpen(here);
    sockets.ended(key(3), LIFE);
    assertClosed(1008, here);
  }

  @Test
  void a_session_without_a_record_that_is_not_here_is_over() {
    Noted socket = new Noted();
    sockets.opened(KEY, 0, socket);
    look();
    assertClosed(1008, socket);
    assertEquals(Collections.emptyMap(), elsewhere.watched);
  }

  @Test
  void a_socket_that_nobody_has_taken_over_yet_closes_as_soon_as_somebody_has() {
    Noted socket = open(KEY);
    socket.stage = OpenSocket.Stage.OPENING;
    sockets.ended(KEY, LIFE);
    look();
    assertOpen(socket);
    socket.stage = OpenSocket.Stage.OPEN;
    look();
    assertClosed(1008, socket);
  }

  @Test
  void closed_sockets_are_forgotten_and_looking_ends_with_the_last() {
    Noted socket = open(KEY);
    away(KEY);
    assertEquals(1, timers.size(), "the second look waits for the first");
    timers.remove(0).run();
    assertEquals(1, timers.size());
    socket.stage = OpenSocket.Stage.CLOSED;
    timers.remove(0).run();
    assertEquals(Collections.emptyMap(), elsewhere.watched);
    assertEquals(0, timers.size());
    assertOpen(socket);
  }

  @Test
  void sessions_that_are_here_are_asked_about_after_the_store_was_not_heard() {
    open(KEY);
    open(OTHER);
    away(OTHER);
    look();
    assertEquals(Collections.emptyList(), elsewhere.asked);
    sockets.doubtAll();
    look();
    look();
    assertEquals(Collections.singletonList(KEY), elsewhere.asked);
    for (int i = 3; i < 120; i++) {
      open(key(i));
    }
    sockets.doubtAll();
    look();
    assertTrue(elsewhere.asked.size() < 118, "so many at once");
    look();
    look();
    assertEquals(
        118,
        new TreeSet<>(Arrays.asList(elsewhere.asked.stream().map(Object::toString).toArray()))
            .size());
  }

  @Test
  void what_cannot_be_closed_is_counted() {
    sockets.opened(null, null);
    Noted stubborn = new Noted();
    OpenSocket broken =
        new OpenSocket() {
          @Override
          public Stage stage() {
            return Stage.OPEN;
          }

          @Override
          public void close(int code, String reason) throws IOException {
            throw new IOException("the network says no");
          }
        };
    sockets.opened(KEY, LIFE, broken);
    sockets.opened(KEY, LIFE, stubborn);
    sockets.ended(KEY, LIFE);
    assertClosed(1008, stubborn);
    assertEquals(2, sockets.notClosed());
  }

  @Test
  void an_application_that_stops_closes_nothing() {
    Noted socket = open(KEY);
    sockets.stop();
    sockets.ended(KEY, LIFE);
    look();
    sockets.opened(KEY, LIFE, socket);
    sockets.ended(KEY, LIFE);
    assertOpen(socket);
  }
}
