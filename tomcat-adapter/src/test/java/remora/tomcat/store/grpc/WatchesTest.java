package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import remora.proto.v1.ExchangeRequest;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;

/** What nodes are told of the sessions that are watched; against nodes that obey a script. */
class WatchesTest extends TwoNodes {

  /** More than go into one message. */
  private static final int MANY = 2_500;

  private final List<ExchangeRequest> atFirst = new CopyOnWriteArrayList<>();
  private final List<ExchangeRequest> atSecond = new CopyOnWriteArrayList<>();

  private static SessionKey key(int number) {
    return new SessionKey(
        KEY.application(), ByteBuffer.allocate(SessionKey.HASH_BYTES).putInt(number).array());
  }

  private static Set<SessionKey> watched(List<ExchangeRequest> messages) {
    Set<SessionKey> watched = new HashSet<>(); // a stream may be opened anew
    for (ExchangeRequest message : messages) {
      message.getWatchedList().forEach(said -> watched.add(FromWire.key(said.getSession())));
      message.getUnwatchedList().forEach(said -> watched.remove(FromWire.key(said)));
    }
    return watched;
  }

  private SessionStore atFirst() {
    first.watching = (message, stream) -> atFirst.add(message);
    second.watching = (message, stream) -> atSecond.add(message);
    second.refusal = notLeader(first.address());
    SessionStore store = store(20_000, first.address(), second.address());
    check(store);
    return store;
  }

  private void secondLeads() {
    first.refusal = notLeader(second.address());
    second.refusal = null;
    first.stream.end();
  }

  @Test
  void whatIsWatchedIsSaidOnceAndAnewOnTheNextStream() throws Exception {
    SessionStore store = atFirst();
    store.watch(KEY, 5);
    store.watch(key(1), 6);
    store.unwatch(key(1));
    check(store);
    await("watch", () -> watched(atFirst).equals(Collections.singleton(KEY)));
    secondLeads();
    await("watch of the next", () -> watched(atSecond).equals(Collections.singleton(KEY)));
    assertEquals(5, atSecond.get(0).getWatched(0).getCreatedVersion());
  }

  @Test
  void manyAreSaidInMessagesOfBoundedSize() throws Exception {
    SessionStore store = atFirst();
    for (int i = 1; i <= MANY; i++) {
      store.watch(key(i), i);
    }
    await("all", () -> watched(atFirst).size() == MANY);
    secondLeads();
    await("all again", () -> watched(atSecond).size() == MANY);
    assertTrue(atSecond.size() >= 3, atSecond.size() + " messages");
    for (ExchangeRequest message : atSecond) {
      assertTrue(message.getWatchedCount() <= 1_000);
    }
  }
}
