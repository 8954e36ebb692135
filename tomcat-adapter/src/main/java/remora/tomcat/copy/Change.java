package remora.tomcat.copy;

/**
 * What is open about one name: the application has changed it, and the store was not told all of it
 * yet. Guarded by the copy's lock; the marks are read without it.
 *
 * <p>Marks carry stamps. An encoding holds every mark up to its own stamp, so what has landed is
 * known by stamps and never by the order of landing.
 */
final class Change {

  /** The oldest mark that has not landed. */
  private volatile long first;

  /** The newest mark. */
  private volatile long newest;

  private long base;
  private boolean pinned;
  private long sinceNanos;

  /** The encoding that began last, waiting for a flight; or null. */
  private Encoding waiting;

  /** The one that is in the air; or null. */
  private Encoding flying;

  /** Whether all marks were given up, and the value is still to be replaced by the store's. */
  private volatile boolean dead;

  Change(long mark, long base, long sinceNanos) {
    this.first = mark;
    this.newest = mark;
    this.base = base;
    this.sinceNanos = sinceNanos;
  }

  void mark(long stamp, long markBase, long markSinceNanos) {
    newest = stamp;
    base = Math.min(base, markBase);
    if (markSinceNanos - sinceNanos < 0) {
      sinceNanos = markSinceNanos;
    }
  }

  long first() {
    return first;
  }

  long newest() {
    return newest;
  }

  long base() {
    return base;
  }

  long sinceNanos() {
    return sinceNanos;
  }

  /** Nobody else has changed it: it is based on the newest record that the copy knows. */
  void rebase(long version) {
    if (!pinned) {
      base = version;
    }
  }

  /** Others have changed it since its request read it: its base stays, and the store will see. */
  void pin() {
    pinned = true;
  }

  /** The store took what was in the air; what comes after is based on that. */
  void landedOn(long version) {
    pinned = false;
    base = version;
  }

  /** Whether somebody who has seen this mark must wait. */
  boolean isOpen(long mark) {
    return first <= mark;
  }

  /** Whether no encoding holds this mark yet. */
  boolean wantsEncoding(long mark) {
    Encoding youngest = youngest();
    return youngest == null || youngest.stamp() < mark;
  }

  Encoding youngest() {
    return waiting != null ? waiting : flying;
  }

  Encoding waiting() {
    return waiting;
  }

  /** Takes an encoding in, unless one that began later is there already. */
  void offer(Encoding encoding) {
    Encoding youngest = youngest();
    if (youngest != null && youngest.stamp() > encoding.stamp()) {
      return;
    }
    if (waiting == null && flying != null && flying.print() != null) {
      if (flying.print().equals(encoding.print())) {
        flying = flying.at(encoding.stamp()); // what is in the air says the same
        return;
      }
    }
    waiting = encoding;
    newest = Math.max(newest, encoding.stamp()); // it may hold what nobody has marked
  }

  /** Takes the waiting encoding into the air; null if none waits. */
  Encoding takeOff() {
    if (waiting != null) {
      flying = waiting;
      waiting = null;
      return flying;
    }
    return null;
  }

  /**
   * Ends the flight, whatever became of it.
   *
   * @return the stamp up to which marks were in the air
   */
  long land() {
    long stamp = flying.stamp();
    flying = null;
    return stamp;
  }

  /** Brings what was in the air back, to fly again. */
  void turnBack() {
    if (waiting == null) {
      waiting = flying;
    }
    flying = null;
  }

  /** Whether something of it is in the air: a create tells the idle limit, marked or not. */
  boolean isFlying() {
    return flying != null;
  }

  /** Gives the marks up that there are; who reads the value before it is replaced has seen them. */
  void die() {
    waiting = null;
    dead = true;
  }

  boolean isDead() {
    return dead;
  }

  /**
   * Ends the marks up to a stamp.
   *
   * @return whether none is left
   */
  boolean close(long stamp) {
    first = stamp + 1;
    return newest <= stamp;
  }
}
