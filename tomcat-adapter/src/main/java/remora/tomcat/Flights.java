package remora.tomcat;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import remora.tomcat.store.StoreUnavailableException;

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
  private long lastTold;
  private final SharedSilence silence = new SharedSilence();
  private volatile int failures;

  Flights(ReentrantLock lock) {
    this.lock = lock;
    this.landed = lock.newCondition();
  }

  /**
   * Runs a command by itself: waits until nothing is in flight, and lets nothing start meanwhile.
   *
   * @param command asks the store; not a save
   * @param <T> what it answers
   * @return the command's answer
   * @throws StoreUnavailableException if the store does not answer it, or did not answer a command
   *     that this one waited for
   */
  <T> T alone(Supplier<T> command) {
    begin();
    try {
      return command.get();
    } catch (StoreUnavailableException silent) {
      unanswered(silent);
      throw silent;
    } finally {
      land(false, false);
    }
  }

  private void begin() {
    long began = System.nanoTime();
    lock.lock();
    try {
      while (flying) {
        awaitLanding();
      }
      silence.rethrow(began);
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
   * @param told whether the store was told something, which vouches for the copy
   */
  void land(boolean savedAll, boolean told) {
    lock.lock();
    try {
      flying = false;
      if (savedAll) {
        lastSaved = started;
      }
      if (told) {
        lastTold = started;
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

  /**
   * Whether a flight of this number or a later one has told the store something. Called under the
   * lock.
   *
   * @param flight from {@link #next}
   * @return false if there was nothing to tell, so that nothing is known about the copy either
   */
  boolean hasTold(long flight) {
    return lastTold >= flight;
  }

  /**
   * Shares the news that the flight was not answered.
   *
   * @param silent what the store threw
   */
  void unanswered(StoreUnavailableException silent) {
    lock.lock();
    try {
      silence.remember(silent);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Spares a waiter a silence after another one. Called under the lock.
   *
   * @param sinceNanos monotonic time at which it began to wait
   * @throws StoreUnavailableException if a flight that it waited for was not answered
   */
  void rethrowSilence(long sinceNanos) {
    silence.rethrow(sinceNanos);
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
