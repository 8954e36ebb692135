package remora.tomcat.store;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** One session in the {@link FakeTable}, and how changes meet in it. */
final class FakeRecord implements FakeSlots.Slot {

  /** What the last change was, for its repeat. */
  enum Change {
    SAVED,
    CREATED,
    RENAMED,
    RELEASED,
    OVER_LIMIT
  }

  /** Bits of a version below its generation. */
  private static final int GENERATION_SHIFT = 48;

  final Map<String, StoredAttribute> attributes = new TreeMap<>();
  final Map<String, LocalAttribute> local = new TreeMap<>();
  final long created;
  final long createdMillis;
  long lastAccessMillis;
  long version;
  long epoch;

  /** The ownership of who held it before; a time in which nobody did does not count. */
  long previousEpoch;

  Owner owner;
  long deadline = FakeTable.NEVER;
  long lastRemoval;
  Login login = Login.NONE;
  long loginVersion;
  int maxIdleSeconds;
  long maxIdleVersion;

  /** Who claimed it last, and the ownership that this began. */
  FakeTable.Caller claimedBy;

  long claimedEpoch;

  /** Who changed it last, how, and the version of that. */
  FakeTable.Caller changedBy;

  Change change;
  long changedVersion;

  /** Who saved it late last, the version of that, and the ownership that it found. */
  FakeTable.Caller savedLateBy;

  long lateVersion;
  long lateEpoch;

  FakeRecord(long created, long createdMillis) {
    this.created = created;
    this.createdMillis = createdMillis;
    this.loginVersion = created;
    this.maxIdleVersion = created;
  }

  @Override
  public long deadline() {
    return deadline;
  }

  /** It was used at this table time. */
  void use(long now) {
    deadline =
        maxIdleSeconds > 0 ? now + TimeUnit.SECONDS.toMillis(maxIdleSeconds) : FakeTable.NEVER;
  }

  /** Somebody owns it from this version on, or nobody does. */
  void begin(long newEpoch, Owner newOwner) {
    if (owner != null && owner.instance() != 0) {
      previousEpoch = epoch;
    }
    epoch = newEpoch;
    owner = newOwner;
  }

  /** Remembers a late save for its repeat; the owner's last change stays. */
  void rememberLate(FakeTable.Caller caller) {
    savedLateBy = caller;
    lateVersion = version;
    lateEpoch = epoch;
  }

  /** Remembers a change for its repeat. */
  void remember(FakeTable.Caller caller, Change what) {
    changedBy = caller;
    change = what;
    changedVersion = version;
  }

  StoredSession image() {
    return new StoredSession(
        version,
        epoch,
        created,
        owner,
        createdMillis,
        lastAccessMillis,
        maxIdleSeconds,
        login,
        new ArrayList<>(attributes.values()),
        new ArrayList<>(local.values()));
  }

  /** Whether a base is one that this record can have had: of its generation, and not above it. */
  private boolean knows(long base) {
    return base <= version && base >>> GENERATION_SHIFT == version >>> GENERATION_SHIFT;
  }

  /**
   * Whether a removal is newer than a base; what follows from a base that was never here, nobody
   * knows.
   */
  boolean removedSince(long base) {
    return !knows(base) || lastRemoval > base;
  }

  boolean conflicts(SessionChange change) {
    if (!knows(change.base())) {
      return true;
    }
    List<String> names = new ArrayList<>(change.removed());
    for (StoredAttribute attribute : change.changed()) {
      names.add(attribute.name());
    }
    for (LocalAttribute turned : change.local()) {
      names.add(turned.name());
    }
    for (String name : names) {
      StoredAttribute there = attributes.get(name);
      if ((there == null ? lastRemoval : there.version()) > change.base()) {
        return true;
      }
    }
    return change.login() != null && loginVersion > change.base()
        || change.maxIdleSeconds() != null && maxIdleVersion > change.base();
  }

  /**
   * What others changed since a base. The asker is not told its own change of version {@code own},
   * but for the names that exist now, which are the whole truth.
   */
  Merged merged(long base, long own, boolean removals) {
    List<StoredAttribute> newer = new ArrayList<>();
    for (StoredAttribute attribute : attributes.values()) {
      if (isTold(attribute.version(), base, own)) {
        newer.add(attribute);
      }
    }
    Set<String> names =
        removals ? new TreeSet<>(attributes.keySet()) : Collections.<String>emptySet();
    return new Merged(
        newer,
        removals,
        names,
        isTold(loginVersion, base, own) ? login : null,
        isTold(maxIdleVersion, base, own) ? maxIdleSeconds : null,
        removals ? new ArrayList<>(local.values()) : Collections.<LocalAttribute>emptyList());
  }

  private boolean isTold(long changed, long base, long own) {
    return !knows(base) || changed > base && changed != own;
  }

  void apply(SessionChange change, long newVersion, long now) {
    version = newVersion;
    for (String name : change.removed()) {
      local.remove(name);
      if (attributes.remove(name) != null) {
        lastRemoval = newVersion;
      }
    }
    for (LocalAttribute turned : change.local()) {
      boolean isNew = local.put(turned.name(), turned) == null;
      if (attributes.remove(turned.name()) != null || isNew) {
        lastRemoval = newVersion;
      }
    }
    for (StoredAttribute attribute : change.changed()) {
      local.remove(attribute.name());
      attributes.put(
          attribute.name(),
          new StoredAttribute(attribute.name(), newVersion, attribute.type(), attribute.bytes()));
    }
    if (change.login() != null) {
      login = change.login();
      loginVersion = newVersion;
    }
    if (change.maxIdleSeconds() != null) {
      maxIdleSeconds = change.maxIdleSeconds();
      maxIdleVersion = newVersion;
    }
    lastAccessMillis = change.lastAccessMillis();
    use(now);
  }

  /** What it counts towards the limits, in bytes: attribute names and values, and the login. */
  long bytes() {
    long bytes = bytes(login);
    for (StoredAttribute attribute : attributes.values()) {
      bytes += bytes(attribute);
    }
    for (LocalAttribute one : local.values()) {
      bytes += bytes(one);
    }
    return bytes;
  }

  static long bytes(StoredAttribute attribute) {
    return utf8(attribute.name()) + attribute.bytes().length;
  }

  static long bytes(LocalAttribute local) {
    return utf8(local.name()) + utf8(local.className());
  }

  static long bytes(Login login) {
    return utf8(login.principal())
        + utf8(login.authType())
        + login.roles().stream().mapToLong(FakeRecord::utf8).sum();
  }

  private static long utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }
}
