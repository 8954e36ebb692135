package remora.tomcat.store;

/** One session that was used. Immutable. */
public final class Touch {

  private final SessionKey key;
  private final long epoch;
  private final long lastAccessMillis;

  /**
   * Makes a touch.
   *
   * @param key which session
   * @param epoch the caller's ownership
   * @param lastAccessMillis last access, milliseconds since 1970
   */
  public Touch(SessionKey key, long epoch, long lastAccessMillis) {
    this.key = key;
    this.epoch = epoch;
    this.lastAccessMillis = lastAccessMillis;
  }

  /**
   * Which session.
   *
   * @return its key
   */
  public SessionKey key() {
    return key;
  }

  /**
   * The caller's ownership.
   *
   * @return the epoch
   */
  public long epoch() {
    return epoch;
  }

  /**
   * When it was used.
   *
   * @return milliseconds since 1970
   */
  public long lastAccessMillis() {
    return lastAccessMillis;
  }
}
