package remora.tomcat.store;

/**
 * How many living sessions of an application one user may have, asked by the save that logs him in.
 * Immutable.
 */
public final class SessionLimit {

  /** The store takes no higher limit. */
  public static final int SESSIONS_MAX = 1_000;

  private final int sessions;
  private final boolean ends;

  /**
   * Makes one.
   *
   * @param sessions how many, the new one among them; 1 to {@value #SESSIONS_MAX}
   * @param ends whether the oldest of the others end for a login above it; else that is refused
   */
  public SessionLimit(int sessions, boolean ends) {
    this.sessions = sessions;
    this.ends = ends;
  }

  /**
   * How many sessions.
   *
   * @return at least 1
   */
  public int sessions() {
    return sessions;
  }

  /**
   * What a login above it does.
   *
   * @return true if the user's oldest sessions end; false if the login is refused
   */
  public boolean ends() {
    return ends;
  }
}
