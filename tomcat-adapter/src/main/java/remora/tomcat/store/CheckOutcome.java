package remora.tomcat.store;

/** What a check found. Immutable. */
public final class CheckOutcome {

  /** What the store knows. */
  public enum Kind {
    /** The copy is the truth. */
    CURRENT,
    /** The caller owns the session, but its copy is old: {@link #session()} is the record. */
    NEWER,
    /** Somebody else owns the session: {@link #owner()}. */
    MOVED,
    /** The id was replaced at a login. */
    RENAMED,
    /** There is no such session. */
    GONE
  }

  private final Kind kind;
  private final StoredSession session;
  private final Owner owner;

  /**
   * Makes an outcome.
   *
   * @param kind what the store knows
   * @param session the record; null unless newer
   * @param owner who owns it; null unless moved
   */
  public CheckOutcome(Kind kind, StoredSession session, Owner owner) {
    this.kind = kind;
    this.session = session;
    this.owner = owner;
  }

  /**
   * What the store knows.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The newer record.
   *
   * @return null unless {@link Kind#NEWER}
   */
  public StoredSession session() {
    return session;
  }

  /**
   * Who owns the session now.
   *
   * @return null unless {@link Kind#MOVED}
   */
  public Owner owner() {
    return owner;
  }
}
