package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import remora.proto.v1.Refusal;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;

/** Two nodes that obey a script, and clients of theirs. */
@Timeout(60)
abstract class TwoNodes {

  static final AtomicLong INSTANCES = new AtomicLong(1000);
  static final SessionKey KEY = new SessionKey("localhost/shop", new byte[16]);

  final List<AutoCloseable> open = new ArrayList<>();
  FakeNode first;
  FakeNode second;

  @BeforeEach
  void start() throws Exception {
    first = new FakeNode();
    second = new FakeNode();
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
    first.close();
    second.close();
  }

  SessionStore store(long timeoutMillis, String... addresses) {
    StoreOptions options = new StoreOptions(String.join(",", addresses), "n1", timeoutMillis);
    SessionStore store = GrpcSessionStore.openAs(options, INSTANCES.incrementAndGet());
    open.add(store);
    return store;
  }

  static Refusal notLeader(String leader) {
    return Refusal.newBuilder()
        .setReason(Refusal.Reason.REASON_NOT_LEADER)
        .setMessage("another node leads")
        .setLeader(leader)
        .build();
  }

  static void check(SessionStore store) {
    assertEquals(CheckOutcome.Kind.CURRENT, store.check(KEY, 1, 1).kind());
  }

  static long parked() {
    return Thread.getAllStackTraces().values().stream()
        .filter(
            stack ->
                Arrays.stream(stack)
                    .anyMatch(frame -> frame.getClassName().equals(Call.class.getName())))
        .count();
  }
}
