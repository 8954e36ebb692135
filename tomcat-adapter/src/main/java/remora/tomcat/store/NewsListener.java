package remora.tomcat.store;

/** Hears what became of sessions that are watched here and owned elsewhere. */
public interface NewsListener {

  /**
   * A watched session has ended, wherever and however; it is watched no more.
   *
   * <p>Called on the stream's thread, as the other method: must be quick, must neither call the
   * store nor wait.
   *
   * @param key under which it was watched
   * @param createdVersion names the life of the key that has ended
   */
  void ended(SessionKey key, long createdVersion);

  /**
   * A watched session has another key, under which it is watched from now on.
   *
   * @param key under which it was watched
   * @param newKey its key now
   */
  void renamed(SessionKey key, SessionKey newKey);
}
