package remora.tomcat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Merged;
import remora.tomcat.store.Owner;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/**
 * One Tomcat's handle to a table in memory that follows the rules of the real one: epochs, bases,
 * merges, retakes, tombstones, renames and evictions. Two handles of one table in one JVM stand for
 * two Tomcats; keys are compared by their hash alone, because two managers of one JVM must not have
 * the same application.
 */
final class FakeStore implements SessionStore {

  /** The table that several handles share. */
  static final class Table {
    private final Map<String, FakeRecord> records = new HashMap<>();
    private final Map<String, Long> tombstones = new HashMap<>();
    private final Set<String> renamed = new HashSet<>();
    private final Map<Long, CommandOutcome> renames = new HashMap<>();
    private final Map<Long, FakeStore> handles = new ConcurrentHashMap<>();
    private long changes = 100;
  }

  private static final AtomicLong SERIALS = new AtomicLong();

  private final Table table;
  private final long instance = SERIALS.incrementAndGet();
  private final List<PushListener> listeners = new ArrayList<>();
  private volatile String application;
  private final Map<String, Integer> touched = new ConcurrentHashMap<>();

  /** How many calls went to the store, and of which kind. */
  final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();

  /** While set, no call is answered. */
  volatile boolean down;

  /** Calls of this name do what they are asked, and their answer is lost. */
  volatile String answerLost;

  /** While set, calls wait until it opens, and are not answered then. */
  volatile CountDownLatch silence;

  /** While set, nothing is answered that changes the table. */
  volatile boolean savesFail;

  /** While set, the stream has not been confirmed. */
  volatile boolean untrusted;

  FakeStore(Table table) {
    this.table = table;
    table.handles.put(instance, this);
  }

  int count(String call) {
    AtomicInteger count = calls.get(call);
    return count == null ? 0 : count.get();
  }

  int touched(SessionKey key) {
    return touched.getOrDefault(name(key), 0);
  }

  int countAll() {
    int sum = 0;
    for (AtomicInteger count : calls.values()) {
      sum += count.get();
    }
    return sum;
  }

  private static String name(SessionKey key) {
    return Arrays.toString(key.hash());
  }

  private void called(String call) {
    calls.computeIfAbsent(call, absent -> new AtomicInteger()).incrementAndGet();
    waitInSilence();
    if (down || savesFail && !"claim".equals(call) && !"check".equals(call)) {
      throw new StoreUnavailableException("the fake store is down");
    }
  }

  private void waitInSilence() {
    CountDownLatch end = silence;
    if (end == null) {
      return;
    }
    try {
      end.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
    throw new StoreUnavailableException("the fake store is silent");
  }

  private void answered(String call) {
    if (call.equals(answerLost)) {
      throw new StoreUnavailableException("the fake store's answer is lost");
    }
  }

  /** Ends a session as the sweep or an operator does. */
  void end(SessionKey key, PushListener.Kind kind) {
    long owner;
    long epoch;
    synchronized (table) {
      FakeRecord record = table.records.remove(name(key));
      table.tombstones.put(name(key), ++table.changes);
      owner = record.owner;
      epoch = record.epoch;
    }
    push(owner, key, kind, epoch);
  }

  private void push(long owner, SessionKey key, PushListener.Kind kind, long epoch) {
    FakeStore handle = table.handles.get(owner);
    if (handle != null && !handle.untrusted) {
      for (PushListener listener : handle.listeners) {
        listener.pushed(new SessionKey(handle.application, key.hash()), kind, epoch);
      }
    }
  }

  @Override
  public long instance() {
    return instance;
  }

  @Override
  public long nextSerial() {
    return SERIALS.incrementAndGet();
  }

  @Override
  public ClaimOutcome claim(long serial, SessionKey key) {
    called("claim");
    long oldOwner;
    long oldEpoch;
    StoredSession claimed;
    synchronized (table) {
      if (table.renamed.contains(name(key))) {
        return new ClaimOutcome(ClaimOutcome.Kind.RENAMED, null, 0);
      }
      FakeRecord record = table.records.get(name(key));
      if (record == null) {
        return new ClaimOutcome(
            ClaimOutcome.Kind.GONE, null, table.tombstones.getOrDefault(name(key), 0L));
      }
      oldOwner = record.owner;
      oldEpoch = record.epoch;
      record.owner = instance;
      record.epoch = ++table.changes;
      claimed = record.image();
    }
    if (oldOwner != instance) {
      push(oldOwner, key, PushListener.Kind.OWNERSHIP_LOST, oldEpoch);
    }
    return new ClaimOutcome(ClaimOutcome.Kind.CLAIMED, claimed, 0);
  }

  @Override
  public SaveOutcome save(long serial, SessionKey key, SessionChange change) {
    called("save");
    long lostOwner = 0;
    long lostEpoch = 0;
    SaveOutcome outcome;
    synchronized (table) {
      if (table.renamed.contains(name(key))) {
        return SaveOutcome.bare(SaveOutcome.Kind.RENAMED);
      }
      FakeRecord record = table.records.get(name(key));
      if (record == null && change.epoch() == 0) {
        long tombstone = table.tombstones.getOrDefault(name(key), 0L);
        if (tombstone != change.base()) {
          return SaveOutcome.gone(tombstone);
        }
        record = new FakeRecord(table.changes + 1, change.createdMillis());
        record.epoch = table.changes + 1;
        record.owner = instance;
        table.records.put(name(key), record);
      } else if (record == null) {
        return SaveOutcome.gone(table.tombstones.getOrDefault(name(key), 0L));
      } else if (record.epoch != change.epoch()) {
        if (!change.retake() || change.epoch() == 0) {
          return SaveOutcome.fenced(new Owner("n" + record.owner, record.owner));
        }
        if (record.conflicts(change)) {
          return SaveOutcome.conflict(record.version, record.merged(change));
        }
        lostOwner = record.owner;
        lostEpoch = record.epoch;
        record.owner = instance;
        record.epoch = table.changes + 1;
      } else if (record.conflicts(change)) {
        return SaveOutcome.conflict(record.version, record.merged(change));
      }
      Merged merged = record.merged(change);
      record.apply(change, ++table.changes);
      outcome = SaveOutcome.saved(record.version, record.epoch, record.created, merged);
    }
    if (lostOwner != 0 && lostOwner != instance) {
      push(lostOwner, key, PushListener.Kind.OWNERSHIP_LOST, lostEpoch);
    }
    return outcome;
  }

  @Override
  public CheckOutcome check(SessionKey key, long epoch, long version) {
    called("check");
    synchronized (table) {
      if (table.renamed.contains(name(key))) {
        return new CheckOutcome(CheckOutcome.Kind.RENAMED, null, null);
      }
      FakeRecord record = table.records.get(name(key));
      if (record == null) {
        return new CheckOutcome(CheckOutcome.Kind.GONE, null, null);
      }
      if (record.epoch != epoch) {
        return new CheckOutcome(
            CheckOutcome.Kind.MOVED, null, new Owner("n" + record.owner, record.owner));
      }
      return record.version == version
          ? new CheckOutcome(CheckOutcome.Kind.CURRENT, null, null)
          : new CheckOutcome(CheckOutcome.Kind.NEWER, record.image(), null);
    }
  }

  @Override
  public CommandOutcome rename(long serial, SessionKey key, SessionKey newKey, long epoch) {
    called("rename");
    CommandOutcome outcome;
    synchronized (table) {
      outcome = table.renames.get(serial);
      if (outcome == null) {
        outcome = renameNow(key, newKey, epoch);
        table.renames.put(serial, outcome);
      }
    }
    answered("rename");
    return outcome;
  }

  private CommandOutcome renameNow(SessionKey key, SessionKey newKey, long epoch) {
    synchronized (table) {
      FakeRecord record = table.records.get(name(key));
      if (record == null) {
        return new CommandOutcome(CommandOutcome.Kind.GONE, 0, null);
      }
      if (record.epoch != epoch) {
        return new CommandOutcome(CommandOutcome.Kind.FENCED, 0, new Owner("n", record.owner));
      }
      if (key.slot() != newKey.slot()) {
        throw new IllegalArgumentException("a rename must keep the slot");
      }
      table.records.remove(name(key));
      table.renamed.add(name(key));
      table.records.put(name(newKey), record);
      record.version = ++table.changes;
      return new CommandOutcome(CommandOutcome.Kind.DONE, record.version, null);
    }
  }

  @Override
  public CommandOutcome remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason) {
    called("remove");
    long owner;
    long lostEpoch;
    synchronized (table) {
      if (table.renamed.contains(name(key))) {
        return new CommandOutcome(CommandOutcome.Kind.RENAMED, 0, null);
      }
      FakeRecord record = table.records.get(name(key));
      if (record == null || record.created != createdVersion) {
        return new CommandOutcome(CommandOutcome.Kind.GONE, 0, null);
      }
      owner = record.owner;
      lostEpoch = record.epoch;
      table.records.remove(name(key));
      table.tombstones.put(name(key), ++table.changes);
    }
    if (owner != instance) {
      push(owner, key, PushListener.Kind.GONE, lostEpoch);
    }
    answered("remove");
    return new CommandOutcome(CommandOutcome.Kind.DONE, table.changes, null);
  }

  @Override
  public CommandOutcome release(long serial, SessionKey key, long epoch) {
    called("release");
    synchronized (table) {
      FakeRecord record = table.records.get(name(key));
      if (record == null || record.epoch != epoch) {
        return new CommandOutcome(CommandOutcome.Kind.FENCED, 0, null);
      }
      record.owner = 0;
      record.epoch = ++table.changes;
      return new CommandOutcome(CommandOutcome.Kind.DONE, record.version, null);
    }
  }

  @Override
  public TouchOutcome touch(List<Touch> touches) {
    called("touch");
    List<Touch> fenced = new ArrayList<>();
    List<Touch> gone = new ArrayList<>();
    synchronized (table) {
      for (Touch touch : touches) {
        touched.merge(name(touch.key()), 1, Integer::sum);
        FakeRecord record = table.records.get(name(touch.key()));
        if (record == null) {
          gone.add(touch);
        } else if (record.epoch != touch.epoch()) {
          fenced.add(touch);
        }
      }
    }
    return new TouchOutcome(fenced, gone);
  }

  @Override
  public boolean nearCopyTrusted(long readAtNanos) {
    return !down && !untrusted;
  }

  @Override
  public int sessionBytesMax() {
    return SESSION_BYTES_MAX_DEFAULT;
  }

  @Override
  public void onPush(String application, PushListener listener) {
    this.application = application;
    table.handles.put(instance, this); // again, if a manager was started anew
    listeners.clear();
    listeners.add(listener);
  }

  @Override
  public void close() {
    table.handles.remove(instance);
  }
}
