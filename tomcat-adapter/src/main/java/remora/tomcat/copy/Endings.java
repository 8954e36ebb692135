package remora.tomcat.copy;

/**
 * The news about one key: which of this Tomcat's ownerships have ended, and up to which version
 * others are known to have changed the record. There before the claim that begins an ownership is
 * sent, so that news which overtakes the claim's answer is not missed.
 *
 * <p>Written by whoever reads the news, read without a lock.
 */
public final class Endings {

  private volatile long lost;
  private volatile long ended;
  private volatile long newer;

  /** Nothing has ended yet. */
  public Endings() {}

  /**
   * An ownership has ended. Ownerships end in order: late news of an old one says nothing about a
   * newer one.
   *
   * @param epoch the ownership
   */
  public synchronized void lose(long epoch) {
    if (Long.compareUnsigned(epoch, lost) > 0) {
      lost = epoch;
    }
  }

  /**
   * The session itself has ended under an ownership of this Tomcat.
   *
   * @param epoch the ownership
   */
  public synchronized void end(long epoch) {
    lose(epoch);
    if (Long.compareUnsigned(epoch, ended) > 0) {
      ended = epoch;
    }
  }

  /**
   * Somebody who owned the session before has changed it after all.
   *
   * @param version the record's version then
   */
  public synchronized void newer(long version) {
    if (Long.compareUnsigned(version, newer) > 0) {
      newer = version;
    }
  }

  /**
   * Whether an ownership has ended, as far as this Tomcat was told.
   *
   * @param epoch an ownership of this Tomcat
   * @return true from the news of its end, or of a later one's, on
   */
  public boolean hasLost(long epoch) {
    return epoch != 0 && Long.compareUnsigned(lost, epoch) >= 0;
  }

  /**
   * Whether the session itself ended while this Tomcat owned it.
   *
   * @param epoch an ownership of this Tomcat
   * @return true from the news on
   */
  public boolean hasEnded(long epoch) {
    return epoch != 0 && ended == epoch;
  }

  /**
   * Whether a copy is older than the record is known to be.
   *
   * @param version the copy's version
   * @return true if it must be checked
   */
  public boolean isOlder(long version) {
    return Long.compareUnsigned(newer, version) > 0;
  }
}
