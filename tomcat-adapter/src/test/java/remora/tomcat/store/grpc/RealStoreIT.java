package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.seal.KeyFile;
import remora.tomcat.seal.SealedStore;
import remora.tomcat.seal.TestKeys;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Login;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TrustContract;

/**
 * The client keeps the contract of the seam over a real store process, as the store does behind it;
 * and no save is lost or doubled when the leader of three is hit.
 */
class RealStoreIT extends TrustContract {

  @TempDir static Path shared;
  @TempDir Path directory;

  private static StoreCluster single;

  @BeforeAll
  static void startStore() throws Exception {
    single = StoreCluster.start(1, shared);
    try (SessionStore store = open(single, 1, PATIENT_MILLIS)) {
      store.check(newKey(), 1, 1); // a store of another version fails here, once, and says so
    }
  }

  @AfterAll
  static void stopStore() {
    if (single != null) {
      single.close();
    }
  }

  @Override
  protected SessionStore openAs(long instance, long timeoutMillis) {
    return open(single, instance, timeoutMillis);
  }

  private static SessionStore open(StoreCluster cluster, long instance, long timeoutMillis) {
    StoreOptions options = new StoreOptions(cluster.addresses(), "n" + instance, timeoutMillis);
    return GrpcSessionStore.openAs(options, instance);
  }

  @Override
  protected Set<Loss> losses() {
    return EnumSet.of(Loss.SILENCE);
  }

  @Override
  protected void lose(Loss loss, String command) throws Exception {
    single.node(single.addresses()).signal("STOP");
  }

  @Override
  protected void recover() throws Exception {
    single.node(single.addresses()).signal("CONT");
  }

  /** The store's own clock moves on with every command, and it sweeps by itself. */
  @Override
  protected void passTime() {
    second.touch(Collections.singletonList(new Touch(newKey(), 1, 0)));
  }

  /** Pages, labels, and what is left of a session that was ended behind its owner's back. */
  @Test
  void sessionsAreListedAndEndedByTheirLabels() throws Exception {
    StoreOptions options = new StoreOptions(single.addresses(), "n1", PATIENT_MILLIS);
    SessionKey mine = newKey();
    SessionKey hers = newKey();
    Login ada = Login.ofFramework("ada").with(SessionDirectory.OIDC_SID, "at-the-provider");
    first.save(first.nextSerial(), mine, creation().login(ada).build());
    first.save(first.nextSerial(), hers, creation().login(Login.ofFramework("grace")).build());
    fill(GrpcSessionDirectory.PAGE_SESSIONS_MAX);
    try (SessionDirectory sessions = GrpcSessionDirectory.open(options, APPLICATION)) {
      assertTrue(
          sessions.all().size() > GrpcSessionDirectory.PAGE_SESSIONS_MAX + 1, "more than a page");
      List<SessionEntry> found = sessions.labelled(SessionDirectory.PRINCIPAL, "ada");
      assertEquals(Collections.singletonList(mine), keys(found));
      assertEquals("ada", found.get(0).principal());
      assertEquals("n" + first.instance(), found.get(0).node());
      assertEquals(2_000, found.get(0).lastAccessMillis());
      assertEquals(hers, sessions.find(hers.hashText()).key());
      assertEquals(1, sessions.endLabelled(SessionDirectory.OIDC_SID, "at-the-provider"));
      assertTrue(sessions.labelled(SessionDirectory.PRINCIPAL, "ada").isEmpty());
      assertEquals(ClaimOutcome.Kind.GONE, claimed(second, mine));
      assertTrue(sessions.end(hers.hashText()));
      assertFalse(sessions.end(hers.hashText()));
      assertNull(sessions.find(hers.hashText()));
      assertThrows(IllegalArgumentException.class, () -> sessions.end("abcdef"));
    }
    try (SessionDirectory others = GrpcSessionDirectory.open(options, "localhost/bank")) {
      assertEquals(Collections.emptyList(), others.all());
    }
  }

  /** So many more sessions, made by many threads: one after the other they take long. */
  private void fill(int sessions) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(64);
    List<Future<SaveOutcome>> saves = new ArrayList<>();
    for (int i = 0; i < sessions; i++) {
      SessionChange made = creation().set("n", 1, number(i)).build();
      saves.add(threads.submit(() -> first.save(first.nextSerial(), newKey(), made)));
    }
    for (Future<SaveOutcome> each : saves) {
      assertEquals(SaveOutcome.Kind.SAVED, each.get().kind());
    }
    threads.shutdown();
  }

  private static ClaimOutcome.Kind claimed(SessionStore store, SessionKey key) {
    return store.claim(store.nextSerial(), key).kind();
  }

  private static List<SessionKey> keys(List<SessionEntry> entries) {
    List<SessionKey> keys = new ArrayList<>();
    entries.forEach(entry -> keys.add(entry.key()));
    return keys;
  }

  /** The two halves of such a rename stand on what a real store says of each. */
  @Test
  void encryptedValuesSurviveANewId() {
    KeyFile keys = TestKeys.file(directory, TestKeys.line("k1", 1));
    SessionStore sealed = new SealedStore(first, keys);
    SessionKey key = newKey();
    SessionKey then = newKey();
    SaveOutcome created =
        sealed.save(sealed.nextSerial(), key, creation().set("n", 1, number(7)).build());
    long serial = sealed.nextSerial();
    CommandOutcome renamed = sealed.rename(serial, key, then, created.epoch());
    CommandOutcome again = sealed.rename(serial, key, then, created.epoch());
    assertEquals(CommandOutcome.Kind.DONE, again.kind());
    assertEquals(renamed.version(), again.version());
    SessionChange late =
        SessionChange.of(created.epoch(), again.version()).set("late", 1, number(8)).build();
    assertEquals(SaveOutcome.Kind.SAVED, sealed.save(sealed.nextSerial(), key, late).kind());
    SessionStore other = new SealedStore(second, keys);
    StoredSession record = other.claim(other.nextSerial(), then).session();
    assertArrayEquals(number(8), record.attributes().get(0).bytes());
    assertArrayEquals(number(7), record.attributes().get(1).bytes());
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
        SessionStore store = open(cluster, 11, PATIENT_MILLIS)) {
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
        each.get(PATIENT_MILLIS, TimeUnit.MILLISECONDS);
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
