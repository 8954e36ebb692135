package remora.tomcat;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Lets one command about a session be on its way to the store at a time, and tells those who wait
 * what became of it. Guarded by the session's lock.
 *
 * <p>Flights are numbered. One that starts after a moment takes along everything that had changed
 * at that moment, so whoever wants a change stored may wait for any later flight to save it.
 */
final class Flights {

  private final ReentrantLock lock;
  private final Condition landed;
  private boolean flying;
  private long started;
  private long lastSaved;
  private volatile int failures;

  Flights(ReentrantLock lock) {
    this.lock = lock;
    this.landed = lock.newCondition();
  }

  /** Waits until nothing is in flight, and starts. */
  void begin() {
    lock.lock();
    try {
      while (flying) {
        landed.awaitUninterruptibly();
      }
      takeOff();
    } finally {
      lock.unlock();
    }
  }

  /** Starts. Called under the lock while nothing is in flight. */
  void takeOff() {
    flying = true;
    started++;
  }

  /**
   * Ends the flight.
   *
   * @param savedAll whether everything that had changed when it started is stored now
   */
  void land(boolean savedAll) {
    lock.lock();
    try {
      flying = false;
      if (savedAll) {
        lastSaved = started;
      }
      landed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Waits for the next landing. Called under the lock. */
  void awaitLanding() {
    landed.awaitUninterruptibly();
  }

  /**
   * Whether something is in flight. Called under the lock.
   *
   * @return whether the next flight must wait
   */
  boolean isFlying() {
    return flying;
  }

  /**
   * The number of the next flight: the first that takes along what has changed by now. Called under
   * the lock.
   *
   * @return a number for {@link #hasSaved}
   */
  long next() {
    return started + 1;
  }

  /**
   * Whether a flight of this number or a later one has saved everything. Called under the lock.
   *
   * @param flight from {@link #next}
   * @return whether what had changed by then is stored
   */
  boolean hasSaved(long flight) {
    return lastSaved >= flight;
  }

  /** Counts a save that failed. Called under the lock. */
  void fail() {
    failures++;
  }

  /**
   * How many saves have failed. A request that saw an earlier count may have seen unsaved state.
   *
   * @return rises for ever
   */
  int failures() {
    return failures;
  }
}
