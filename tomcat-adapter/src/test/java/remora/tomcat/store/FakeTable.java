package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * The store's table in memory, by the rules of the real one: the golden scripts of the store are
 * replayed against it, so that what stands on it stands on the store's own word.
 *
 * <p>Time stands still until a test moves it. Not thread-safe. Left out: the registry of
 * application servers, images, and the limits, which are no rules of the table.
 */
final class FakeTable {

  /** The deadline of what never expires. */
  static final long NEVER = Long.MAX_VALUE;

  /** Table time that one entry adds at most, in milliseconds. */
  private static final long ENTRY_ADDS_MILLIS_MAX = 10_000;

  /** How long a key that a rename gave up serves the current epoch, in milliseconds. */
  private static final long ALIAS_MILLIS = 30_000;

  /** A tombstone lives for the idle limit, but at least so many seconds: copies may be as old. */
  private static final long TOMBSTONE_SECONDS_MIN = TimeUnit.HOURS.toSeconds(1);

  /** And at most so many seconds, also for a session that never expires. */
  private static final long TOMBSTONE_SECONDS_MAX = TimeUnit.HOURS.toSeconds(24);

  /** Who asks, and by which serial. */
  static final class Caller {
    /** The store itself, which is nobody's instance. */
    static final Caller NOBODY = new Caller("", 0, 0);

    final String node;
    final long instance;
    final long serial;

    Caller(String node, long instance, long serial) {
      this.node = node;
      this.instance = instance;
      this.serial = serial;
    }

    boolean repeats(Caller first) {
      return instance != 0 && first != null && first.instance == instance && first.serial == serial;
    }

    private boolean isOlderThan(Caller other) {
      return other != null && other.instance == instance && other.serial > serial;
    }
  }

  /** Why a session is removed: the seam's reasons, and an operator's wish. */
  enum Why {
    LOGOUT,
    EXPIRY,
    OPERATOR
  }

  /** What an owner must be told. */
  static final class Event {
    final SessionKey key;
    final Push.Kind kind;
    final long instance;
    final long epoch;

    /** The record's version, for an owner whose copy others changed; else 0. */
    final long version;

    private Event(SessionKey key, Push.Kind kind, FakeRecord record) {
      this.key = key;
      this.kind = kind;
      this.instance = record.owner.instance();
      this.epoch = record.epoch;
      this.version = kind == Push.Kind.NEWER ? record.version : 0;
    }
  }

  /** By what right a save changes a session. */
  private enum Right {
    OWNER,
    LATE
  }

  /** What the table remembers of a command. */
  private enum Repeat {
    NEW,
    AGAIN,
    STALE
  }

  private final FakeSlots slots = new FakeSlots();
  private final List<Event> events = new ArrayList<>();

  /** What the last save made of its limit. */
  final FakeLimit limit = new FakeLimit();

  /** What has expired, until somebody has buried it. */
  final FakeLeavers leavers = new FakeLeavers();

  private long stamp;
  private long now;
  private long version;

  /** Moves table time by what the leader's clock moved since the entry before. */
  void beginEntry(long leadersClock) {
    now += Math.min(Math.max(leadersClock - stamp, 0), ENTRY_ADDS_MILLIS_MAX);
    stamp = leadersClock;
  }

  long now() {
    return now;
  }

  long version() {
    return version;
  }

  /** What owners must be told since this was asked last. */
  List<Event> takeEvents() {
    List<Event> taken = new ArrayList<>(events);
    events.clear();
    return taken;
  }

  /** The answer to a claim that needs no change; null if there is a session to claim. */
  ClaimOutcome preview(SessionKey key) {
    FakeSlots.Found found = slots.find(key, now);
    if (found.moved) {
      return new ClaimOutcome(ClaimOutcome.Kind.RENAMED, null, 0);
    }
    return found.live != null
        ? null
        : new ClaimOutcome(ClaimOutcome.Kind.GONE, null, found.tombstoneTold());
  }

  ClaimOutcome claim(Caller caller, SessionKey key) {
    ClaimOutcome needless = preview(key);
    if (needless != null) {
      return needless;
    }
    FakeRecord record = slots.find(key, now).live;
    Repeat repeat = repeat(record, caller, true);
    if (repeat == Repeat.STALE) {
      return new ClaimOutcome(ClaimOutcome.Kind.STALE, null, 0);
    }
    if (repeat == Repeat.NEW) {
      tell(caller, key, record, Push.Kind.OWNERSHIP_LOST);
      record.version = ++version;
      record.begin(version, new Owner(caller.node, caller.instance));
      record.use(now);
      record.claimedBy = caller;
      record.claimedEpoch = version;
    }
    return new ClaimOutcome(ClaimOutcome.Kind.CLAIMED, record.image(), 0);
  }

  SaveOutcome save(Caller caller, SessionKey key, SessionChange change) {
    FakeSlots.Found found = slots.find(key, now);
    boolean creates = change.epoch() == 0;
    if (found.live != null) {
      return saveLive(caller, found, change);
    } else if (creates && found.moved) {
      return SaveOutcome.bare(SaveOutcome.Kind.RENAMED);
    } else if (creates && (found.tombstone == null || change.base() == found.tombstone.version)) {
      return create(caller, key, change);
    }
    return SaveOutcome.gone(found.tombstoneTold());
  }

  private SaveOutcome saveLive(Caller caller, FakeSlots.Found found, SessionChange change) {
    FakeRecord record = found.live;
    Repeat repeat =
        repeat(
            record,
            caller,
            false,
            FakeRecord.Change.SAVED,
            FakeRecord.Change.CREATED,
            FakeRecord.Change.OVER_LIMIT);
    if (repeat == Repeat.AGAIN && record.change == FakeRecord.Change.OVER_LIMIT) {
      return SaveOutcome.bare(SaveOutcome.Kind.OVER_LIMIT);
    } else if (repeat != Repeat.NEW) {
      return repeat == Repeat.AGAIN
          ? savedBefore(record, caller, change)
          : SaveOutcome.bare(SaveOutcome.Kind.STALE);
    }
    if (found.moved && change.epoch() != record.epoch) {
      return SaveOutcome.bare(SaveOutcome.Kind.RENAMED);
    }
    Right right = right(record, change);
    if (right == null) {
      return SaveOutcome.fenced(record.owner);
    }
    boolean removals = record.removedSince(change.base());
    if (record.conflicts(change)) {
      return SaveOutcome.conflict(record.version, record.merged(change.base(), 0, removals));
    }
    if (!makeRoom(caller, found.key, record, change)) {
      if (right == Right.OWNER) {
        record.remember(caller, FakeRecord.Change.OVER_LIMIT);
      }
      return SaveOutcome.bare(SaveOutcome.Kind.OVER_LIMIT);
    }
    record.apply(change, ++version, now);
    if (right == Right.LATE) {
      tell(caller, found.key, record, Push.Kind.NEWER);
      record.rememberLate(caller);
    } else {
      record.remember(caller, FakeRecord.Change.SAVED);
    }
    Merged merged = record.merged(change.base(), version, removals);
    return SaveOutcome.saved(version, record.epoch, record.created, merged);
  }

  /** By what right a save changes a record; null if it has none. */
  private static Right right(FakeRecord record, SessionChange change) {
    if (change.epoch() == record.epoch) {
      return Right.OWNER;
    }
    boolean heldLast = change.epoch() != 0 && change.epoch() == record.previousEpoch;
    boolean ofThisLife = change.base() >= record.created;
    return change.late() && heldLast && ofThisLife ? Right.LATE : null;
  }

  /** The outcome of an earlier save, once more; others may have changed the record since. */
  private static SaveOutcome savedBefore(FakeRecord record, Caller caller, SessionChange change) {
    boolean removals = record.removedSince(change.base());
    if (caller.repeats(record.savedLateBy)) {
      long late = record.lateVersion;
      Merged merged = record.merged(change.base(), late, removals);
      return SaveOutcome.saved(late, record.lateEpoch, record.created, merged);
    }
    long saved = record.changedVersion;
    return SaveOutcome.saved(
        saved,
        record.change == FakeRecord.Change.SAVED ? change.epoch() : saved,
        record.created,
        record.created == saved ? Merged.NOTHING : record.merged(change.base(), saved, removals));
  }

  private SaveOutcome create(Caller caller, SessionKey key, SessionChange change) {
    if (!makeRoom(caller, key, null, change)) {
      return SaveOutcome.bare(SaveOutcome.Kind.OVER_LIMIT);
    }
    tellExpired(caller, key);
    FakeRecord record = new FakeRecord(++version, change.createdMillis());
    record.apply(change, version, now);
    record.begin(version, new Owner(caller.node, caller.instance));
    record.remember(caller, FakeRecord.Change.CREATED);
    slots.put(key, record);
    return SaveOutcome.saved(version, version, version, Merged.NOTHING);
  }

  /** Ends a user's oldest sessions if a login asks for that; false if it is over its limit. */
  private boolean makeRoom(Caller caller, SessionKey key, FakeRecord record, SessionChange change) {
    List<FakeSlots.Found> ending = limit.ending(slots, now, key, record, change);
    if (ending == null) {
      return false;
    }
    for (FakeSlots.Found other : ending) {
      if (other.live.owner.instance() != 0) {
        events.add(new Event(other.key, Push.Kind.GONE, other.live));
      }
      entomb(caller, other);
      limit.ended.add(other.key);
    }
    return true;
  }

  CheckOutcome check(SessionKey key, long epoch, long copyVersion) {
    FakeSlots.Found found = slots.find(key, now);
    FakeRecord record = found.live;
    if (record == null) {
      return new CheckOutcome(CheckOutcome.Kind.GONE, null, null);
    } else if (record.epoch == epoch) {
      return record.version == copyVersion
          ? new CheckOutcome(CheckOutcome.Kind.CURRENT, null, null)
          : new CheckOutcome(CheckOutcome.Kind.NEWER, record.image(), null);
    }
    return found.moved
        ? new CheckOutcome(CheckOutcome.Kind.RENAMED, null, null)
        : new CheckOutcome(CheckOutcome.Kind.MOVED, null, record.owner);
  }

  /** The record under exactly this key while this ownership stands; null otherwise. */
  StoredSession owned(SessionKey key, long epoch) {
    FakeSlots.Slot standing = slots.standing(key, now);
    boolean owned = standing instanceof FakeRecord && ((FakeRecord) standing).epoch == epoch;
    return owned ? ((FakeRecord) standing).image() : null;
  }

  CommandOutcome rename(Caller caller, SessionKey key, SessionKey newKey, long epoch) {
    FakeSlots.Found found = slots.find(key, now);
    CommandOutcome refused = refuse(caller, found, epoch, FakeRecord.Change.RENAMED);
    if (refused != null) {
      return refused;
    }
    if (slots.standing(newKey, now) != null) {
      return new CommandOutcome(CommandOutcome.Kind.TAKEN, 0, null);
    }
    tellExpired(caller, newKey);
    FakeRecord record = found.live;
    record.version = ++version;
    record.use(now);
    record.remember(caller, FakeRecord.Change.RENAMED);
    slots.put(newKey, record);
    slots.put(found.key, new FakeSlots.Alias(newKey, now + ALIAS_MILLIS));
    return new CommandOutcome(CommandOutcome.Kind.DONE, version, null);
  }

  CommandOutcome remove(Caller caller, SessionKey key, long created, long epoch, Why why) {
    FakeSlots.Found found = slots.find(key, now);
    FakeRecord record = found.live;
    if (record == null) {
      boolean again = found.tombstone != null && caller.repeats(found.tombstone.removedBy);
      return again
          ? new CommandOutcome(CommandOutcome.Kind.DONE, found.tombstone.version, null)
          : new CommandOutcome(CommandOutcome.Kind.GONE, found.tombstoneTold(), null);
    } else if (repeat(record, caller, false) == Repeat.STALE) {
      return new CommandOutcome(CommandOutcome.Kind.STALE, 0, null);
    } else if (found.moved && why != Why.OPERATOR && epoch != record.epoch) {
      return new CommandOutcome(CommandOutcome.Kind.RENAMED, 0, null);
    } else if (created != record.created) {
      return new CommandOutcome(CommandOutcome.Kind.GONE, 0, null);
    } else if (why == Why.EXPIRY && epoch != record.epoch) {
      return new CommandOutcome(CommandOutcome.Kind.FENCED, 0, record.owner);
    }
    bury(caller, found);
    return new CommandOutcome(CommandOutcome.Kind.DONE, version, null);
  }

  CommandOutcome release(Caller caller, SessionKey key, long epoch) {
    FakeSlots.Found found = slots.find(key, now);
    CommandOutcome refused = refuse(caller, found, epoch, FakeRecord.Change.RELEASED);
    if (refused != null) {
      return refused;
    }
    FakeRecord record = found.live;
    record.version = ++version;
    record.begin(version, new Owner(record.owner.node(), 0));
    record.remember(caller, FakeRecord.Change.RELEASED);
    return new CommandOutcome(CommandOutcome.Kind.DONE, 0, null);
  }

  TouchOutcome touch(List<Touch> touches) {
    List<Touch> fenced = new ArrayList<>();
    List<Touch> gone = new ArrayList<>();
    for (Touch touch : touches) {
      FakeRecord record = slots.find(touch.key(), now).live;
      if (record == null) {
        gone.add(touch);
      } else if (record.epoch != touch.epoch()) {
        fenced.add(touch);
      } else {
        record.lastAccessMillis = touch.lastAccessMillis();
        record.use(now);
      }
    }
    return new TouchOutcome(fenced, gone);
  }

  /** An operator ends a session, unless it is another life of the key; true if this command did. */
  boolean kill(Caller caller, SessionKey key, long created) {
    FakeSlots.Found found = slots.find(key, now);
    if (found.live != null && found.live.created == created) {
      bury(caller, found);
      return true;
    }
    return found.tombstone != null && caller.repeats(found.tombstone.removedBy);
  }

  /** Takes away what is past its deadline, earliest first; returns how many. */
  int sweep(int limit) {
    List<SessionKey> due = slots.due(now);
    int removed = Math.min(limit, due.size());
    due.subList(0, removed).forEach(this::expire);
    return removed;
  }

  /** The session under this key expires, whatever its deadline. */
  void expire(SessionKey key) {
    FakeSlots.Slot swept = slots.take(key);
    if (swept instanceof FakeRecord) {
      tell(Caller.NOBODY, key, (FakeRecord) swept, Push.Kind.EXPIRED);
      leavers.add(key, (FakeRecord) swept);
    }
  }

  /** The live record under a key, renames followed; null if there is none. */
  FakeRecord live(SessionKey key) {
    return slots.find(key, now).live;
  }

  /** Where a session lives now; null if this life of it has ended. */
  SessionKey follow(SessionKey key, long created) {
    FakeSlots.Found found = slots.find(key, now);
    boolean lives = found.live != null && found.live.created == created;
    return lives ? new SessionKey(key.application(), found.key.hash()) : null;
  }

  /** Live records by their keys, those past their deadline that are not swept yet included. */
  Map<SessionKey, FakeRecord> records() {
    return slots.records();
  }

  /** Why a command of the owner's is not done: null if it is to be. */
  private CommandOutcome refuse(
      Caller caller, FakeSlots.Found found, long epoch, FakeRecord.Change asked) {
    FakeRecord record = found.live;
    if (record == null) {
      return new CommandOutcome(CommandOutcome.Kind.GONE, found.tombstoneTold(), null);
    }
    boolean renames = asked == FakeRecord.Change.RENAMED;
    Repeat repeat = repeat(record, caller, false, asked);
    if (repeat == Repeat.AGAIN) {
      long told = renames ? record.changedVersion : 0;
      return new CommandOutcome(CommandOutcome.Kind.DONE, told, null);
    } else if (repeat == Repeat.STALE) {
      return new CommandOutcome(CommandOutcome.Kind.STALE, 0, null);
    } else if (found.moved && (renames || epoch != record.epoch)) {
      return new CommandOutcome(CommandOutcome.Kind.RENAMED, 0, null);
    }
    return epoch == record.epoch
        ? null
        : new CommandOutcome(CommandOutcome.Kind.FENCED, 0, record.owner);
  }

  /** Whether a record remembers a command as its last claim or as one of these changes. */
  private static Repeat repeat(
      FakeRecord record, Caller caller, boolean claims, FakeRecord.Change... changes) {
    if (caller.repeats(record.claimedBy)) {
      return claims && record.claimedEpoch == record.epoch ? Repeat.AGAIN : Repeat.STALE;
    }
    if (caller.repeats(record.changedBy)) {
      return Arrays.asList(changes).contains(record.change) ? Repeat.AGAIN : Repeat.STALE;
    }
    if (caller.repeats(record.savedLateBy)) {
      return Arrays.asList(changes).contains(FakeRecord.Change.SAVED) ? Repeat.AGAIN : Repeat.STALE;
    }
    boolean older =
        caller.isOlderThan(record.claimedBy)
            || caller.isOlderThan(record.changedBy)
            || caller.isOlderThan(record.savedLateBy);
    return older ? Repeat.STALE : Repeat.NEW;
  }

  private void bury(Caller caller, FakeSlots.Found found) {
    tell(caller, found.key, found.live, Push.Kind.GONE);
    entomb(caller, found);
  }

  private void entomb(Caller caller, FakeSlots.Found found) {
    FakeRecord record = found.live;
    long idle = record.maxIdleSeconds > 0 ? record.maxIdleSeconds : TOMBSTONE_SECONDS_MAX;
    long seconds = Math.max(TOMBSTONE_SECONDS_MIN, Math.min(idle, TOMBSTONE_SECONDS_MAX));
    long deadline = now + TimeUnit.SECONDS.toMillis(seconds);
    slots.put(found.key, new FakeSlots.Tombstone(++version, deadline, caller));
  }

  /** Tells the owner, unless it asked for this itself or there is none. */
  private void tell(Caller caller, SessionKey key, FakeRecord record, Push.Kind kind) {
    long owner = record.owner.instance();
    if (owner != 0 && owner != caller.instance) {
      events.add(new Event(key, kind, record));
    }
  }

  /** What stands here past its deadline is absent, but its owner may not know yet. */
  private void tellExpired(Caller caller, SessionKey key) {
    FakeRecord expired = slots.record(key);
    if (expired != null) {
      tell(caller, key, expired, Push.Kind.EXPIRED);
    }
  }
}
