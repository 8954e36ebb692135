package remora.tomcat.store;

/** What a claim found. Immutable. */
public final class ClaimOutcome {

  /** What happened. */
  public enum Kind {
    /** The caller owns {@link #session()} under its epoch. */
    CLAIMED,
    /** There is no such session; {@link #tombstone()} may name a removed one. */
    GONE,
    /** The id was replaced at a login and opens nothing. */
    RENAMED,
    /** An old repeat: nothing happened. */
    STALE
  }

  private final Kind kind;
  private final StoredSession session;
  private final long tombstone;

  /**
   * Makes an outcome.
   *
   * @param kind what happened
   * @param session the record; null unless claimed
   * @param tombstone the tombstone's version; 0 unless gone and known
   */
  public ClaimOutcome(Kind kind, StoredSession session, long tombstone) {
    this.kind = kind;
    this.session = session;
    this.tombstone = tombstone;
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
   * The record.
   *
   * @return null unless {@link Kind#CLAIMED}
   */
  public StoredSession session() {
    return session;
  }

  /**
   * What a save with epoch 0 must name as its base to create the session anew.
   *
   * @return the tombstone's version; 0 when there is none
   */
  public long tombstone() {
    return tombstone;
  }
}
