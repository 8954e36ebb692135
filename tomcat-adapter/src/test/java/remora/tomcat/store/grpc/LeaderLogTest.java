package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.proto.v1.Refusal;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;

/** What stands in Tomcat's log of the store, whoever writes it: one line an outage, and its end. */
@Timeout(60)
class LeaderLogTest {

  private static final SessionKey KEY = new SessionKey("localhost/shop", new byte[16]);
  private static final Logger ROOT = Logger.getLogger("");

  private final List<LogRecord> logged = new CopyOnWriteArrayList<>();
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          logged.add(record);
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @BeforeEach
  void listen() {
    handler.setLevel(Level.INFO);
    ROOT.addHandler(handler);
  }

  @AfterEach
  void stop() {
    ROOT.removeHandler(handler);
  }

  private List<String> lines(Level level) {
    return logged.stream()
        .filter(record -> record.getLevel() == level)
        .map(LogRecord::getMessage)
        .collect(Collectors.toList());
  }

  private static long seconds(double seconds) {
    return (long) (seconds * TimeUnit.SECONDS.toNanos(1));
  }

  @Test
  void an_outage_is_one_line_with_every_address_and_its_end_another() throws Exception {
    String unresolvable = "store.invalid:7400";
    String closed = "127.0.0.1:1";
    try (FakeNode node = new FakeNode();
        SessionStore store =
            GrpcSessionStore.openAs(
                new StoreOptions(unresolvable + "," + closed + "," + node.address(), "n1", 20_000),
                3001)) {
      store.check(KEY, 1, 1);
      node.stream.confirm();
      await("the line of a leader", () -> lines(Level.INFO).size() == 1);
      node.refusal =
          Refusal.newBuilder()
              .setReason(Refusal.Reason.REASON_NO_QUORUM)
              .setMessage("no majority answers")
              .build();
      node.stream.end();
      await("the line of an outage", () -> !lines(Level.WARNING).isEmpty());
      int hellos = node.hellos.size();
      await("more of the search", () -> node.hellos.size() > hellos + 20);
      node.refusal = null;
      store.check(KEY, 1, 1);
      node.stream.confirm();
      await("the line of its end", () -> lines(Level.INFO).size() == 2);
      String line = lines(Level.WARNING).get(0);
      assertTrue(line.contains(unresolvable + ": the name does not resolve"), line);
      assertTrue(line.contains(closed + ": UNAVAILABLE"), line);
      assertTrue(line.contains(node.address() + ": no majority answers"), line);
      assertTrue(lines(Level.INFO).get(1).matches(".*leads; none did for [0-9.]+ s"));
      logged.forEach(record -> assertNull(record.getThrown(), record.getMessage()));
      assertEquals(3, logged.size(), logged.toString());
    }
  }

  @Test
  void a_first_search_may_take_as_long_as_a_cluster_takes_to_start() {
    LeaderLog log = new LeaderLog();
    log.searching(seconds(9.9), () -> "");
    log.led("a:1", seconds(10), seconds(9.9), "");
    assertEquals(0, lines(Level.WARNING).size());
    assertEquals(1, lines(Level.INFO).size());
    log.searching(seconds(1.9), () -> "");
    assertEquals(0, lines(Level.WARNING).size());
    log.searching(seconds(2.1), () -> "a:1: gone");
    log.searching(seconds(60), () -> "a:1: gone");
    assertEquals(1, lines(Level.WARNING).size());
  }

  @Test
  void leaders_that_change_often_do_not_fill_the_log() {
    LeaderLog log = new LeaderLog();
    for (int i = 0; i < 1_000; i++) {
      log.led("a:" + i % 2, seconds(0.1 * i), seconds(0.05), "a test ended it");
    }
    int lines = lines(Level.INFO).size();
    assertTrue(lines <= 11 && lines > 1, lines + " lines in 100 s");
  }
}
