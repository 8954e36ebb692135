package remora.tomcat.keeper;

import remora.tomcat.copy.Witness;

/**
 * One request, as the sessions that it was given know it: when it began, whether a thread of its
 * runs the application's code now, and what it has seen of each session.
 */
public final class Visit {

  /** A session that a request was given, and what it has seen of it. */
  static final class Given {
    final Visit visit;
    final Held held;
    final Witness witness;

    /** What it was given before; null at the end. */
    final Given before;

    /** Another request's, where the session lists those that are there; under its lock. */
    Given beside;

    private Given(Visit visit, Held held, Witness witness, Given before) {
      this.visit = visit;
      this.held = held;
      this.witness = witness;
      this.before = before;
    }
  }

  private final long sinceNanos;

  /** A chain: requests are given one session, or a few where they are dispatched elsewhere. */
  private Given seen;

  private Runnable departed;
  private boolean working = true;
  private boolean asking;
  private Held failed;

  /**
   * A request that begins.
   *
   * @param sinceNanos monotonic time
   */
  public Visit(long sinceNanos) {
    this.sinceNanos = sinceNanos;
  }

  /**
   * When it began.
   *
   * @return monotonic time
   */
  public long sinceNanos() {
    return sinceNanos;
  }

  /**
   * What it has seen of a session.
   *
   * @param held the session
   * @return its witness, made if there was none
   */
  public Witness of(Held held) {
    Given entered;
    synchronized (this) {
      for (Given one = seen; one != null; one = one.before) {
        if (one.held == held) {
          return one.witness;
        }
      }
      entered = new Given(this, held, new Witness(sinceNanos), seen);
      seen = entered;
      if (!working) {
        return entered.witness;
      }
    }
    held.entered(entered);
    return entered.witness;
  }

  /** The session that it was given last, and through it the others; null if it was given none. */
  synchronized Given seen() {
    return seen;
  }

  /**
   * The session whose settling failed last.
   *
   * @return null if none did
   */
  public synchronized Held failed() {
    return failed;
  }

  synchronized void failed(Held held) {
    failed = held;
  }

  /** No thread of its runs the application's code any more; what it shows is settled. */
  public void leave() {
    Given left;
    synchronized (this) {
      working = false;
      left = seen;
    }
    for (; left != null; left = left.before) {
      left.held.left(left);
    }
    depart();
  }

  /** It waits for the store's word on a session, so nobody should wait for it. */
  void asks(boolean now) {
    synchronized (this) {
      asking = now;
    }
    if (now) {
      depart();
    }
  }

  private void depart() {
    Runnable told;
    synchronized (this) {
      told = departed;
    }
    if (told != null) {
      told.run();
    }
  }

  synchronized boolean worksSince(long momentNanos) {
    return working && !asking && sinceNanos - momentNanos >= 0;
  }

  /** Names who is told when it leaves or begins to wait; runs at once if it has. */
  void onDeparture(Runnable told) {
    synchronized (this) {
      Runnable before = departed;
      departed =
          before == null
              ? told
              : () -> {
                before.run();
                told.run();
              };
    }
  }
}
