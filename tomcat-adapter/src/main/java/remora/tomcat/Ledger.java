package remora.tomcat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import remora.tomcat.store.Login;

/**
 * What one session's copy knows of the store's record, and what it still has to tell: versions,
 * ownership, fingerprints of the stored values, and marks on what the application changed.
 *
 * <p>Not thread-safe: guarded by the session's lock. Knows neither Tomcat nor the store.
 *
 * <p>Invariant: a mark's base is the version of the copy when the change was first made, so that a
 * change made on an old copy is told as such even if the copy was refreshed in the meantime. A save
 * names the lowest base of what it tells.
 */
final class Ledger {

  /** Mark of a changed login; no attribute can be called so, because it is not plain text. */
  static final String LOGIN = "\u0000login";

  /** Mark of a changed idle limit. */
  static final String IDLE = "\u0000idle";

  /** What the store has for an attribute. */
  private static final class Known {
    private final long version;
    private final EncodedValue.Fingerprint fingerprint;

    private Known(long version, EncodedValue.Fingerprint fingerprint) {
      this.version = version;
      this.fingerprint = fingerprint;
    }
  }

  /** A live object that a request may still hold although others changed its attribute. */
  static final class Orphan {
    final String name;
    final Object value;
    final EncodedValue.Fingerprint fingerprint;

    private Orphan(String name, Object value, EncodedValue.Fingerprint fingerprint) {
      this.name = name;
      this.value = value;
      this.fingerprint = fingerprint;
    }
  }

  private final Map<String, Known> known = new HashMap<>();
  private Map<String, Long> marks = new LinkedHashMap<>();
  private final List<Orphan> orphans = new ArrayList<>();
  private long markedSinceNanos;
  private long version;
  private long epoch;
  private long createdVersion;
  private Login login = Login.NONE;
  private int maxIdleSeconds;

  long version() {
    return version;
  }

  /**
   * The ownership under which the copy is held.
   *
   * @return 0 while the store has no record
   */
  long epoch() {
    return epoch;
  }

  long createdVersion() {
    return createdVersion;
  }

  /**
   * The login as the store has it.
   *
   * @return null when a failed save left it unknown
   */
  Login login() {
    return login;
  }

  int maxIdleSeconds() {
    return maxIdleSeconds;
  }

  /**
   * Remembers whose copy this is.
   *
   * @param newVersion the record's version
   * @param newEpoch the ownership
   * @param newCreatedVersion names this life of the key
   */
  void own(long newVersion, long newEpoch, long newCreatedVersion) {
    version = newVersion;
    epoch = newEpoch;
    createdVersion = newCreatedVersion;
  }

  void rename(long newVersion) {
    version = newVersion;
  }

  void knowLogin(Login stored) {
    login = stored;
  }

  void knowMaxIdle(int stored) {
    maxIdleSeconds = stored;
  }

  void know(String name, long attributeVersion, EncodedValue.Fingerprint fingerprint) {
    known.put(name, new Known(attributeVersion, fingerprint));
  }

  /**
   * Compares an attribute by another fingerprint of the same value.
   *
   * @param name an attribute; nothing happens if it is not known
   * @param fingerprint of its value, encoded anew
   */
  void compareBy(String name, EncodedValue.Fingerprint fingerprint) {
    Known stored = known.get(name);
    if (stored != null) {
      known.put(name, new Known(stored.version, fingerprint));
    }
  }

  void forget(String name) {
    known.remove(name);
  }

  boolean knows(String name) {
    return known.containsKey(name);
  }

  boolean knows(String name, EncodedValue.Fingerprint fingerprint) {
    Known stored = known.get(name);
    return stored != null && stored.fingerprint.equals(fingerprint);
  }

  /**
   * Whether the store's value is newer than what this copy knows.
   *
   * @param name an attribute
   * @param attributeVersion its version in the store
   * @return true also for an attribute that this copy does not know
   */
  boolean isNewer(String name, long attributeVersion) {
    Known stored = known.get(name);
    return stored == null || attributeVersion > stored.version;
  }

  /**
   * Marks a change that the application made.
   *
   * @param name an attribute, {@link #LOGIN} or {@link #IDLE}
   * @param nowNanos monotonic time
   */
  void mark(String name, long nowNanos) {
    if (marks.isEmpty()) {
      markedSinceNanos = nowNanos;
    }
    if (!marks.containsKey(name)) {
      marks.put(name, version);
    }
  }

  boolean isMarked(String name) {
    return marks.containsKey(name);
  }

  boolean hasMarks() {
    return !marks.isEmpty();
  }

  /**
   * When the oldest change was marked that is not yet taken.
   *
   * @param nowNanos answered when nothing is marked
   * @return monotonic time
   */
  long markedSinceNanos(long nowNanos) {
    return marks.isEmpty() ? nowNanos : markedSinceNanos;
  }

  /**
   * Takes all marks into a save. Changes made from now on are marked anew.
   *
   * @return name to base
   */
  Map<String, Long> takeMarks() {
    Map<String, Long> taken = marks;
    marks = new LinkedHashMap<>();
    return taken;
  }

  /**
   * Moves marks to a newer copy, except those on what others changed too: they stay behind, and the
   * store will call them a conflict.
   *
   * @param changedByOthers names that others changed or removed
   */
  void rebaseMarks(Set<String> changedByOthers) {
    for (Map.Entry<String, Long> mark : marks.entrySet()) {
      if (!changedByOthers.contains(mark.getKey())) {
        mark.setValue(version);
      }
    }
  }

  /**
   * Keeps an eye on a live object that others' change replaced.
   *
   * @param name its attribute
   * @param value the object
   */
  void orphan(String name, Object value) {
    Known stored = known.get(name);
    if (stored != null) {
      orphans.add(new Orphan(name, value, stored.fingerprint));
    }
  }

  List<Orphan> orphans() {
    return new ArrayList<>(orphans);
  }

  boolean hasOrphans() {
    return !orphans.isEmpty();
  }

  /** Nobody holds replaced objects any more. */
  void dropOrphans() {
    orphans.clear();
  }

  /**
   * Gives up what was not stored, so that the next record replaces it.
   *
   * @param names everything that may differ from the store
   */
  void discard(Iterable<String> names) {
    for (String name : names) {
      known.remove(name);
    }
    known.keySet().removeAll(marks.keySet());
    marks.clear();
    orphans.clear();
    login = null;
  }
}
