package remora.tomcat.store;

/** What a save did. Immutable. */
public final class SaveOutcome {

  /** What happened. */
  public enum Kind {
    /** The change is on a majority of disks. */
    SAVED,
    /** Something the save changes is newer than its base; nothing was changed. */
    CONFLICT,
    /** Somebody else owns the session; nothing was changed. */
    FENCED,
    /** There is no such session; nothing was changed. */
    GONE,
    /** The key was replaced at a login; nothing was changed. */
    RENAMED,
    /** A repeat of a command older than the last one; nothing was changed now. */
    STALE,
    /** The user has as many sessions as the save allows; nothing was changed. */
    OVER_LIMIT
  }

  private final Kind kind;
  private final long version;
  private final long epoch;
  private final long createdVersion;
  private final Merged merged;
  private final Owner owner;
  private final long tombstone;

  private SaveOutcome(
      Kind kind,
      long version,
      long epoch,
      long createdVersion,
      Merged merged,
      Owner owner,
      long tombstone) {
    this.kind = kind;
    this.version = version;
    this.epoch = epoch;
    this.createdVersion = createdVersion;
    this.merged = merged;
    this.owner = owner;
    this.tombstone = tombstone;
  }

  /**
   * The same outcome with others' values in another form.
   *
   * @param others in the place of {@link #merged()}
   * @return the outcome
   */
  public SaveOutcome withMerged(Merged others) {
    return new SaveOutcome(kind, version, epoch, createdVersion, others, owner, tombstone);
  }

  /**
   * The change is stored.
   *
   * @param version the record's version now
   * @param epoch the session's epoch now
   * @param createdVersion version of the command that created the session
   * @param merged what others changed since the base
   * @return the outcome
   */
  public static SaveOutcome saved(long version, long epoch, long createdVersion, Merged merged) {
    return new SaveOutcome(Kind.SAVED, version, epoch, createdVersion, merged, null, 0);
  }

  /**
   * The change is not stored, because others changed the same.
   *
   * @param version the record's version now
   * @param merged what others changed since the base
   * @return the outcome
   */
  public static SaveOutcome conflict(long version, Merged merged) {
    return new SaveOutcome(Kind.CONFLICT, version, 0, 0, merged, null, 0);
  }

  /**
   * The change is not stored, because somebody else owns the session.
   *
   * @param owner who
   * @return the outcome
   */
  public static SaveOutcome fenced(Owner owner) {
    return new SaveOutcome(Kind.FENCED, 0, 0, 0, Merged.NOTHING, owner, 0);
  }

  /**
   * The change is not stored, because there is no such session.
   *
   * @param tombstone the tombstone's version; 0 when there is none
   * @return the outcome
   */
  public static SaveOutcome gone(long tombstone) {
    return new SaveOutcome(Kind.GONE, 0, 0, 0, Merged.NOTHING, null, tombstone);
  }

  /**
   * The change is not stored, and there is nothing more to say.
   *
   * @param kind {@link Kind#RENAMED}, {@link Kind#STALE} or {@link Kind#OVER_LIMIT}
   * @return the outcome
   */
  public static SaveOutcome bare(Kind kind) {
    return new SaveOutcome(kind, 0, 0, 0, Merged.NOTHING, null, 0);
  }

  /**
   * What happened.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The record's version now; the base of the next save.
   *
   * @return 0 unless {@link Kind#SAVED} or {@link Kind#CONFLICT}
   */
  public long version() {
    return version;
  }

  /**
   * The session's epoch now: the caller's, a new one after a create. After a {@linkplain
   * SessionChange#late() late} save that was stored under the ownership before the present one it
   * is another than the change's, the successor's or nobody's: the caller owns the session no more
   * than before, and must not use it as its own.
   *
   * @return 0 unless {@link Kind#SAVED}
   */
  public long epoch() {
    return epoch;
  }

  /**
   * Names this life of the key.
   *
   * @return 0 unless {@link Kind#SAVED}
   */
  public long createdVersion() {
    return createdVersion;
  }

  /**
   * What others changed since the base.
   *
   * @return never null; empty unless {@link Kind#SAVED} or {@link Kind#CONFLICT}
   */
  public Merged merged() {
    return merged;
  }

  /**
   * Who owns the session now.
   *
   * @return null unless {@link Kind#FENCED}
   */
  public Owner owner() {
    return owner;
  }

  /**
   * What a save with epoch 0 must name as its base to create the session anew.
   *
   * @return the tombstone's version; 0 unless {@link Kind#GONE} and known
   */
  public long tombstone() {
    return tombstone;
  }
}
