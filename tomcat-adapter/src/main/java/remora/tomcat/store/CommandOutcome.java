package remora.tomcat.store;

/** What a rename, remove or release did. Immutable. */
public final class CommandOutcome {

  /** What happened. */
  public enum Kind {
    /** As asked. */
    DONE,
    /** Somebody else owns the session; nothing happened. */
    FENCED,
    /** There is no such session; nothing happened. */
    GONE,
    /** The key was already given up for another one; nothing happened. */
    RENAMED,
    /** A repeat of a command older than the last one; nothing happened now. */
    STALE,
    /** The new key of a rename is in use: draw another; nothing happened. */
    TAKEN
  }

  private final Kind kind;
  private final long version;
  private final Owner owner;

  /**
   * Makes an outcome.
   *
   * @param kind what happened
   * @param version version of the renamed record or of the tombstone; 0 if there is none
   * @param owner who owns the session; null unless fenced
   */
  public CommandOutcome(Kind kind, long version, Owner owner) {
    this.kind = kind;
    this.version = version;
    this.owner = owner;
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
   * The renamed record's version; of a session that was removed now or before, the tombstone's.
   *
   * @return 0 if there is none
   */
  public long version() {
    return version;
  }

  /**
   * Who owns the session now.
   *
   * @return null unless {@link Kind#FENCED}
   */
  public Owner owner() {
    return owner;
  }
}
