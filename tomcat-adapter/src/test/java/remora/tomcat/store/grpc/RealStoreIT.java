package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Login;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.Touch;

/** The client, as packaged, against real store processes. */
@Timeout(120)
class RealStoreIT {

  private static final String APPLICATION = "localhost/shop";

  /** Longer than an election on a busy machine; the calls must still end by themselves. */
  private static final long TIMEOUT_MILLIS = 10_000;

  @TempDir Path directory;

  private static SessionKey newKey() {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    ThreadLocalRandom.current().nextBytes(hash);
    return new SessionKey(APPLICATION, hash);
  }

  private static SessionStore open(StoreCluster cluster, long instance) {
    StoreOptions options = new StoreOptions(cluster.addresses(), "n" + instance, TIMEOUT_MILLIS);
    return GrpcSessionStore.openAs(options, instance);
  }

  private static SessionChange.Builder creation() {
    long now = System.currentTimeMillis();
    return SessionChange.of(0, 0).maxIdleSeconds(1800).times(now, now);
  }

  private static byte[] number(long value) {
    return ByteBuffer.allocate(Long.BYTES).putLong(value).array();
  }

  @Test
  void everyCommandMeansWhatTheSeamSays() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore first = open(cluster, 11);
        SessionStore second = open(cluster, 22)) {
      SessionKey key = newKey();
      assertEquals(ClaimOutcome.Kind.GONE, first.claim(first.nextSerial(), key).kind());
      SessionChange creation =
          creation()
              .set("cart", 1, new byte[] {5})
              .set("user", 1, new byte[0])
              .login(new Login("alice", Arrays.asList("buyer", "tester"), "FORM"))
              .build();
      SaveOutcome created = first.save(first.nextSerial(), key, creation);
      assertEquals(SaveOutcome.Kind.SAVED, created.kind());
      assertEquals(
          CheckOutcome.Kind.CURRENT, first.check(key, created.epoch(), created.version()).kind());

      ClaimOutcome claimed = second.claim(second.nextSerial(), key);
      assertEquals(ClaimOutcome.Kind.CLAIMED, claimed.kind());
      StoredSession record = claimed.session();
      assertEquals(22, record.owner().instance());
      assertEquals("alice", record.login().principal());
      assertEquals(Arrays.asList("buyer", "tester"), record.login().roles());
      assertEquals(1800, record.maxIdleSeconds());
      assertEquals("cart", record.attributes().get(0).name());
      assertArrayEquals(new byte[] {5}, record.attributes().get(0).bytes());

      SessionChange zombie =
          SessionChange.of(created.epoch(), created.version()).set("cart", 1, new byte[0]).build();
      SaveOutcome fenced = first.save(first.nextSerial(), key, zombie);
      assertEquals(SaveOutcome.Kind.FENCED, fenced.kind());
      assertEquals(22, fenced.owner().instance());
      CheckOutcome moved = first.check(key, created.epoch(), created.version());
      assertEquals(CheckOutcome.Kind.MOVED, moved.kind());

      Touch touch = new Touch(key, record.epoch(), System.currentTimeMillis());
      Touch old = new Touch(key, created.epoch(), System.currentTimeMillis());
      Touch none = new Touch(newKey(), 1, System.currentTimeMillis());
      assertEquals(
          Collections.singletonList(old), second.touch(Arrays.asList(touch, old, none)).fenced());
      assertEquals(Collections.singletonList(none), second.touch(Arrays.asList(none)).gone());

      byte[] hash = newKey().hash();
      hash[0] = (byte) key.slot();
      SessionKey renamed = new SessionKey(APPLICATION, hash);
      long epoch = record.epoch();
      CommandOutcome rename = second.rename(second.nextSerial(), key, renamed, epoch);
      assertEquals(CommandOutcome.Kind.DONE, rename.kind());
      assertEquals(ClaimOutcome.Kind.RENAMED, first.claim(first.nextSerial(), key).kind());
      assertEquals(
          CommandOutcome.Kind.DONE, second.release(second.nextSerial(), renamed, epoch).kind());
      CommandOutcome removed =
          second.remove(
              second.nextSerial(), renamed, record.createdVersion(), epoch, RemoveReason.LOGOUT);
      assertEquals(CommandOutcome.Kind.DONE, removed.kind());
      ClaimOutcome gone = first.claim(first.nextSerial(), renamed);
      assertEquals(ClaimOutcome.Kind.GONE, gone.kind());
      assertEquals(removed.version(), gone.tombstone());
    }
  }

  @Test
  void concurrentChangesMergeOrConflict() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore first = open(cluster, 11);
        SessionStore second = open(cluster, 22)) {
      SessionKey key = newKey();
      SessionChange creation = creation().set("a", 1, number(1)).set("b", 1, number(1)).build();
      SaveOutcome created = first.save(first.nextSerial(), key, creation);
      StoredSession taken = second.claim(second.nextSerial(), key).session();
      SessionChange theirs =
          SessionChange.of(taken.epoch(), taken.version()).set("a", 1, number(2)).build();
      second.save(second.nextSerial(), key, theirs);

      SessionChange.Builder base = SessionChange.of(created.epoch(), created.version());
      SaveOutcome merged =
          first.save(first.nextSerial(), key, base.retake(true).set("b", 1, number(3)).build());
      assertEquals(SaveOutcome.Kind.SAVED, merged.kind());
      assertEquals("a", merged.merged().attributes().get(0).name());
      assertArrayEquals(number(2), merged.merged().attributes().get(0).bytes());

      SessionChange late =
          SessionChange.of(created.epoch(), created.version())
              .retake(true)
              .set("a", 1, number(4))
              .build();
      assertEquals(SaveOutcome.Kind.CONFLICT, first.save(first.nextSerial(), key, late).kind());
    }
  }

  @Test
  void aRepeatedSerialGetsTheRecordedOutcome() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore store = open(cluster, 11)) {
      SessionKey key = newKey();
      long serial = store.nextSerial();
      SessionChange change = creation().set("a", 1, number(1)).build();
      SaveOutcome once = store.save(serial, key, change);
      SaveOutcome twice = store.save(serial, key, change);
      assertEquals(SaveOutcome.Kind.SAVED, twice.kind());
      assertEquals(once.version(), twice.version());
      assertEquals(once.epoch(), twice.epoch());
    }
  }

  @Test
  void limitsAreRefusedWithASentence() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore store = open(cluster, 11)) {
      for (int bytes : new int[] {1024 * 1024 + 1, 8 * 1024 * 1024}) {
        SessionChange large = creation().set("a", 1, new byte[bytes]).build();
        StoreRefusedException refused =
            assertThrows(
                StoreRefusedException.class, () -> store.save(store.nextSerial(), newKey(), large));
        assertEquals(StoreRefusedException.Reason.TOO_LARGE, refused.reason());
        assertTrue(refused.getMessage().length() > 20, refused.getMessage());
      }
    }
  }

  @Test
  void theOwnerHearsThatAnotherClaimedAndOnlyThenIsTheClaimAnswered() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore first = open(cluster, 11);
        SessionStore second = open(cluster, 22)) {
      LinkedBlockingQueue<SessionKey> lost = new LinkedBlockingQueue<>();
      PushListener listener = (key, kind, epoch) -> lost.add(key);
      first.onPush(APPLICATION, listener);
      SessionKey key = newKey();
      first.save(first.nextSerial(), key, creation().build());
      second.claim(second.nextSerial(), key);
      assertEquals(key, lost.poll());
    }
  }

  @Test
  void nearCopiesAreTrustedWhileTheLeaderConfirmsAndNoLonger() throws Exception {
    try (StoreCluster cluster = StoreCluster.start(1, directory);
        SessionStore store = open(cluster, 11)) {
      store.save(store.nextSerial(), newKey(), creation().build());
      long readAt = System.nanoTime();
      store.save(store.nextSerial(), newKey(), creation().build());
      await("trust", () -> store.nearCopyTrusted(readAt));
      cluster.node(cluster.addresses()).signal("STOP");
      await("distrust", () -> !store.nearCopyTrusted(readAt));
      cluster.node(cluster.addresses()).signal("CONT");
      store.save(store.nextSerial(), newKey(), creation().build());
      assertFalse(store.nearCopyTrusted(readAt), "the stream broke in between");
    }
  }

  private static void await(String what, Callable<Boolean> condition) throws Exception {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.call()) {
      assertTrue(System.nanoTime() - deadline < 0, "no " + what);
      TimeUnit.MILLISECONDS.sleep(5);
    }
  }

  @Test
  void killingTheLeaderLosesAndDoublesNoSave() throws Exception {
    saveAcross("KILL");
  }

  @Test
  void freezingTheLeaderLosesAndDoublesNoSave() throws Exception {
    saveAcross("STOP");
  }

  /** Writers count in their own sessions while the leader is hit; a doubled save would conflict. */
  private void saveAcross(String signal) throws Exception {
    try (StoreCluster cluster = StoreCluster.start(3, directory);
        SessionStore store = open(cluster, 11)) {
      AtomicBoolean stop = new AtomicBoolean();
      ExecutorService threads = Executors.newFixedThreadPool(16);
      List<Writer> writers = new ArrayList<>();
      List<Future<?>> running = new ArrayList<>();
      for (int i = 0; i < 16; i++) {
        writers.add(new Writer(store, stop));
        running.add(threads.submit(writers.get(i)));
      }
      await("saves before the blow", () -> total(writers) > 500);
      long before = total(writers);
      String leader = ((GrpcSessionStore) store).leader();
      cluster.node(leader).signal(signal);
      await("saves after the blow", () -> total(writers) > before + 500);
      stop.set(true);
      for (Future<?> each : running) {
        each.get(TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
      }
      threads.shutdown();
      long slowest = 0;
      for (Writer writer : writers) {
        StoredSession record = store.claim(store.nextSerial(), writer.key).session();
        assertArrayEquals(number(writer.acknowledged), record.attributes().get(0).bytes());
        assertEquals(writer.version, record.attributes().get(0).version(), "saved twice");
        slowest = Math.max(slowest, writer.slowestNanos);
      }
      System.out.printf(
          "%s of the leader: %d saves, slowest %d ms%n",
          signal, total(writers), TimeUnit.NANOSECONDS.toMillis(slowest));
      assertFalse(leader.equals(((GrpcSessionStore) store).leader()));
    }
  }

  private static long total(List<Writer> writers) {
    return writers.stream().mapToLong(writer -> writer.acknowledged).sum();
  }

  /** Counts up in one session, each save based on the one before. */
  private static final class Writer implements Callable<Void> {
    final SessionKey key = newKey();
    volatile long acknowledged;
    long version;
    long slowestNanos;
    private final SessionStore store;
    private final AtomicBoolean stop;

    Writer(SessionStore store, AtomicBoolean stop) {
      this.store = store;
      this.stop = stop;
    }

    @Override
    public Void call() {
      SaveOutcome last =
          store.save(store.nextSerial(), key, creation().set("n", 1, number(0)).build());
      while (!stop.get()) {
        long next = acknowledged + 1;
        SessionChange change =
            SessionChange.of(last.epoch(), last.version()).set("n", 1, number(next)).build();
        long begun = System.nanoTime();
        SaveOutcome outcome = store.save(store.nextSerial(), key, change);
        slowestNanos = Math.max(slowestNanos, System.nanoTime() - begun);
        assertEquals(SaveOutcome.Kind.SAVED, outcome.kind());
        assertTrue(outcome.merged().isEmpty(), "somebody else changed the session");
        last = outcome;
        version = outcome.version();
        acknowledged = next;
      }
      return null;
    }
  }
}
