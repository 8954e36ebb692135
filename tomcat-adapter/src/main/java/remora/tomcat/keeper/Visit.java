package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import remora.tomcat.copy.Witness;

/**
 * One request, as the sessions that it was given know it: when it began, whether a thread of its
 * runs the application's code now, and what it has seen of each session.
 */
public final class Visit {

  private final long sinceNanos;
  private final Map<Held, Witness> witnesses = new IdentityHashMap<>(2);
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
    boolean first;
    Witness witness;
    synchronized (this) {
      witness = witnesses.get(held);
      first = witness == null;
      if (first) {
        witness = new Witness(sinceNanos);
        witnesses.put(held, witness);
      }
      first &= working;
    }
    if (first) {
      held.entered(this);
    }
    return witness;
  }

  /**
   * The sessions that it was given.
   *
   * @return a snapshot
   */
  public synchronized List<Map.Entry<Held, Witness>> seen() {
    return new ArrayList<>(witnesses.entrySet());
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
    List<Held> left;
    synchronized (this) {
      working = false;
      left = new ArrayList<>(witnesses.keySet());
    }
    for (Held held : left) {
      held.left(this);
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
