package remora.tomcat.store;

/** Hears that a session is no longer this instance's. */
@FunctionalInterface
public interface PushListener {

  /** What happened to the session. */
  enum Kind {
    /** Another instance claimed it. */
    OWNERSHIP_LOST,
    /** It was removed by an operator or by a logout elsewhere. */
    GONE,
    /** It expired. */
    EXPIRED
  }

  /**
   * Drop the copy of this session.
   *
   * @param key which session
   * @param kind what happened
   * @param epoch the ownership that was lost; a copy under a later epoch is not meant
   */
  void pushed(SessionKey key, Kind kind, long epoch);
}
