package remora.tomcat.store;

/**
 * The store as seen from here: led, being sought, or away. Immutable.
 *
 * <p>What decides is what this process saw while it ran: its own pauses count neither as time
 * without a store nor as attempts to find it.
 */
public final class StoreState {

  /** How the store stands. */
  public enum Kind {
    /** A node leads, and calls go to it. */
    LED,
    /** No node leads, as in an election: calls wait. */
    SEEKING,
    /**
     * The store was sought for the store timeout and asked three times at every address: calls fail
     * at once, and one search goes on.
     */
    AWAY
  }

  private final Kind kind;
  private final long sinceNanos;
  private final boolean acrossPause;

  /**
   * Makes a state.
   *
   * @param kind how the store stands
   * @param sinceNanos {@link System#nanoTime()} at which that began; for {@link Kind#AWAY}, at
   *     which the search did
   * @param acrossPause see {@link #isAcrossPause()}
   */
  public StoreState(Kind kind, long sinceNanos, boolean acrossPause) {
    this.kind = kind;
    this.sinceNanos = sinceNanos;
    this.acrossPause = acrossPause;
  }

  /**
   * How the store stands.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * When it began to stand so; for {@link Kind#AWAY}, when the search began.
   *
   * @return {@link System#nanoTime()}
   */
  public long sinceNanos() {
    return sinceNanos;
  }

  /**
   * Whether this process stood still between the last word of the stream before that was confirmed
   * and the end of that stream: what others took meanwhile went unheard.
   *
   * @return false also while there was no stream yet, and whatever pauses came after its end
   */
  public boolean isAcrossPause() {
    return acrossPause;
  }

  @Override
  public String toString() {
    return kind.toString();
  }
}
