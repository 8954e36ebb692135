package remora.tomcat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** Two Tomcats before one store: what the tests of the seam share, and what each store adds. */
public abstract class SeamStage {

  /** The application of every key here. */
  protected static final String APPLICATION = "localhost/shop";

  /** Longer than anything takes on a busy machine; calls must end by themselves. */
  protected static final long PATIENT_MILLIS = 20_000;

  /** For calls that get no answer. */
  private static final long HASTY_MILLIS = 300;

  private static final AtomicLong INSTANCES = new AtomicLong(100_000);

  /** How a command gets no answer. */
  protected enum Loss {
    /** The store says nothing; the command may have reached it or not. */
    SILENCE,
    /** The command happened, and its answer is lost. */
    ANSWER,
    /** The store itself says that it does not know. */
    UNKNOWN
  }

  private final List<SessionStore> opened = new ArrayList<>();

  /** Handles of two Tomcats, and a third one of the first Tomcat that does not wait long. */
  protected SessionStore first;

  protected SessionStore second;
  protected SessionStore hasty;

  /** A handle of an instance on the one store of these tests. */
  protected abstract SessionStore openAs(long instance, long timeoutMillis);

  /** How this store can be made to give no answer. */
  protected abstract Set<Loss> losses();

  /** From now on this command, or more, gets no answer. */
  protected abstract void lose(Loss loss, String command) throws Exception;

  /** Answers come again. */
  protected abstract void recover() throws Exception;

  /** Helps table time on: some of it passes at each call, and what is due is swept. */
  protected abstract void passTime() throws Exception;

  @BeforeEach
  protected void openHandles() throws Exception {
    first = open(newInstance(), PATIENT_MILLIS);
    second = open(newInstance(), PATIENT_MILLIS);
    hasty = open(first.instance(), HASTY_MILLIS);
  }

  @AfterEach
  protected void closeHandles() {
    opened.forEach(SessionStore::close);
  }

  final SessionStore open(long instance, long timeoutMillis) {
    SessionStore store = openAs(instance, timeoutMillis);
    opened.add(store);
    return store;
  }

  static long newInstance() {
    return INSTANCES.incrementAndGet();
  }

  /** A key that nobody used. */
  protected static SessionKey newKey() {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    ThreadLocalRandom.current().nextBytes(hash);
    return new SessionKey(APPLICATION, hash);
  }

  /** A session of half an hour. */
  protected static SessionChange.Builder creation() {
    return SessionChange.of(0, 0).maxIdleSeconds(1800).times(1_000, 2_000);
  }

  /** A value, and what is in it. */
  protected static byte[] number(long value) {
    return ByteBuffer.allocate(Long.BYTES).putLong(value).array();
  }

  /** Creates a session with cart=1. */
  static SaveOutcome create(SessionStore store, SessionKey key) {
    return save(store, key, creation().set("cart", 1, number(1)));
  }

  static SaveOutcome save(SessionStore store, SessionKey key, SessionChange.Builder change) {
    return store.save(store.nextSerial(), key, change.build());
  }

  static ClaimOutcome claim(SessionStore store, SessionKey key) {
    return store.claim(store.nextSerial(), key);
  }

  static CommandOutcome rename(SessionStore store, SessionKey key, SessionKey to, long epoch) {
    return store.rename(store.nextSerial(), key, to, epoch);
  }

  static CommandOutcome logout(SessionStore store, SessionKey key, long created, long epoch) {
    return store.remove(store.nextSerial(), key, created, epoch, RemoveReason.LOGOUT);
  }

  static CommandOutcome expire(SessionStore store, SessionKey key, long created, long epoch) {
    return store.remove(store.nextSerial(), key, created, epoch, RemoveReason.EXPIRY);
  }

  static CommandOutcome release(SessionStore store, SessionKey key, long epoch) {
    return store.release(store.nextSerial(), key, epoch);
  }

  /** A change of the owner on top of this one. */
  static SessionChange.Builder after(SaveOutcome before) {
    return SessionChange.of(before.epoch(), before.version());
  }

  static SessionChange.Builder after(StoredSession record) {
    return SessionChange.of(record.epoch(), record.version());
  }
}
