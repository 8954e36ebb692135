package remora.tomcat.store;

import java.util.concurrent.atomic.AtomicBoolean;

/**
 * News of a session that this instance owns or has owned until now, or one that it is offered to
 * end. Immutable but for its acknowledgement.
 */
public final class Push {

  /** What happened to the session. */
  public enum Kind {
    /** Another instance claimed it. */
    OWNERSHIP_LOST,
    /** It was removed by an operator or by a logout elsewhere. */
    GONE,
    /** It expired. */
    EXPIRED,
    /** Its previous owner saved late: the copy is to be checked before it is used again. */
    NEWER,
    /**
     * It has expired, and its listeners are still to be called: by this instance, if it is the
     * first to {@linkplain SessionStore#bury bury} it. What is not buried is offered again, here or
     * elsewhere.
     */
    LEAVER
  }

  private final SessionKey key;
  private final Kind kind;
  private final long epoch;
  private final long version;
  private final StoredSession record;
  private final Runnable acknowledgement;
  private final AtomicBoolean acknowledged = new AtomicBoolean();

  /**
   * Makes a push.
   *
   * @param key which session
   * @param kind what happened
   * @param epoch the ownership that is meant: the one that was lost; for {@link Kind#NEWER} the
   *     present one
   * @param version the record's version for {@link Kind#NEWER}, else 0
   * @param acknowledgement run once, by whoever acknowledges; must not block
   */
  public Push(SessionKey key, Kind kind, long epoch, long version, Runnable acknowledgement) {
    this(key, kind, epoch, version, null, acknowledgement);
  }

  private Push(
      SessionKey key,
      Kind kind,
      long epoch,
      long version,
      StoredSession record,
      Runnable acknowledgement) {
    this.key = key;
    this.kind = kind;
    this.epoch = epoch;
    this.version = version;
    this.record = record;
    this.acknowledgement = acknowledgement;
  }

  /**
   * Makes an offer of a session that has expired.
   *
   * @param key which session
   * @param record as it was then
   * @param acknowledgement as for every push
   * @return a push of {@link Kind#LEAVER}
   */
  public static Push leaver(SessionKey key, StoredSession record, Runnable acknowledgement) {
    return new Push(key, Kind.LEAVER, record.epoch(), 0, record, acknowledgement);
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
   * What happened.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The ownership that is meant; a copy under a later epoch is not. For {@link Kind#LEAVER} the
   * last one.
   *
   * @return the epoch
   */
  public long epoch() {
    return epoch;
  }

  /**
   * The record's version.
   *
   * @return 0 unless {@link Kind#NEWER}
   */
  public long version() {
    return version;
  }

  /**
   * The session as it was when it expired.
   *
   * @return null unless {@link Kind#LEAVER}
   */
  public StoredSession record() {
    return record;
  }

  /**
   * Tells the store that nothing here uses what it took away any more: whoever waits for that, the
   * session's next owner or a late save, may be answered. From any thread; a second time does
   * nothing. The store does not wait for ever, so a push that is never acknowledged only costs
   * time.
   */
  public void acknowledge() {
    if (acknowledged.compareAndSet(false, true)) {
      acknowledgement.run();
    }
  }

  @Override
  public String toString() {
    return kind + " " + key + " e" + epoch + (version == 0 ? "" : " v" + version);
  }
}
