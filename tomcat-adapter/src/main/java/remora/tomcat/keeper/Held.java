package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import remora.tomcat.copy.Asked;
import remora.tomcat.copy.Copy;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.copy.Endings;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.copy.Witness;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreUnavailableException;

/**
 * One session that is kept here: its copy, the lock that guards it, and its one flight. A flight is
 * a command about the session on its way to the store; who wants one waits for its turn, and no
 * wait is without an end.
 *
 * <p>Nothing of the application's runs under the lock or within a flight.
 */
public final class Held {

  private final Live live;
  private final Copy copy;
  private final Endings endings;
  private final ReentrantLock lock = new ReentrantLock();

  /** Signalled at each landing; made by the first who waits for one. */
  private Condition landed;

  /** A flight that was not answered; null while there was none. */
  private SharedSilence silence;

  /** Whose flight is in the air; null for none. */
  private Thread pilot;

  /** Requests that were given the session and whose application code may still run: a chain. */
  private Visit.Given visits;

  /** What threads have seen that belong to no request, as far as is known. */
  private volatile Witness outside;

  private volatile SessionKey key;

  /** Monotonic time before the call that last read, checked or saved the copy. */
  private volatile long checkedAtNanos;

  /** Changes of the key that the store was not told, or that it did not answer; null for none. */
  private volatile Queue<PendingRename> pendingRenames;

  /** A save that was sent and not answered; null for none. */
  private volatile UnknownSave unknownSave;

  /** Whether the store is to be told that it was used. */
  private volatile boolean touched;

  /** Whether it was ended here and the store was not told. */
  private volatile boolean owedRemoval;

  /** Whether somebody ends the live session, or has. */
  private boolean endTaken;

  /**
   * Keeps a session that has no record yet.
   *
   * @param live the session
   * @param key its key
   * @param endings the news about its key
   */
  Held(Live live, SessionKey key, Endings endings) {
    this.live = live;
    this.key = key;
    this.endings = endings;
    this.copy = new Copy(live, endings);
  }

  // ---- What the face asks; needs no flight

  /**
   * Under which key the store has it.
   *
   * @return the key
   */
  public SessionKey key() {
    return key;
  }

  /**
   * What logs call it: never its id, which is a credential.
   *
   * @return eight digits of its hash
   */
  public String shortName() {
    return key.shortHash();
  }

  /**
   * How the copy stands.
   *
   * @return one moment's truth
   */
  public Standing standing() {
    return copy.standing();
  }

  /**
   * Whether something was changed that the store was not told.
   *
   * @return whether anything is open
   */
  public boolean isOpen() {
    return copy.isOpen();
  }

  /**
   * Whether requests use it.
   *
   * @return whether any request is between access and end of access
   */
  public boolean isUsed() {
    lock.lock();
    try {
      return copy.isUsed();
    } finally {
      lock.unlock();
    }
  }

  /** A request begins to use it. */
  public void use() {
    lock.lock();
    try {
      copy.use();
    } finally {
      lock.unlock();
    }
  }

  /**
   * A request has ended.
   *
   * @return whether a change is left that no request answers for
   */
  public boolean leave() {
    lock.lock();
    try {
      copy.leave();
      return isChangedOutside();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Notes that a name was read.
   *
   * @param by the request; null if the thread belongs to none, which may be an asynchronous
   *     request's own
   * @param name a name as the store has it
   * @param handed a mutable object that was given out, or null
   */
  public void read(Witness by, String name, Object handed) {
    copy.read(by == null ? outside() : by, name, handed);
  }

  /**
   * Notes that somebody has seen which attributes there are.
   *
   * @param by the request, or null
   */
  public void readNames(Witness by) {
    copy.readNames(by == null ? outside() : by);
  }

  /**
   * Marks a change: before the new value can be seen, and again once it can.
   *
   * @param name a name as the store has it
   * @param by the request, or null
   * @return whether no request answers for it
   */
  public boolean mark(String name, Witness by) {
    lock.lock();
    try {
      copy.mark(
          name, by == null ? outside() : by, by == null ? System.nanoTime() : by.sinceNanos());
      return isChangedOutside();
    } finally {
      lock.unlock();
    }
  }

  private boolean isChangedOutside() {
    return !copy.isUsed() && copy.isOpen();
  }

  /**
   * Puts a live value in the place of its bytes.
   *
   * @param name a name as the store has it
   * @param bytes what must still be there
   * @param value what the bytes mean
   * @param again what encoding the value again makes
   * @return false if something else is there
   */
  public boolean decoded(
      String name, EncodedValue bytes, Object value, EncodedValue.Fingerprint again) {
    lock.lock();
    try {
      return copy.decoded(name, bytes, value, again);
    } finally {
      lock.unlock();
    }
  }

  // ---- For the keeper

  /** Whether threads that belong to no request have seen or changed something. */
  boolean hasStrangers() {
    Witness strangers = outside;
    return strangers != null && !strangers.isBlank();
  }

  Witness outside() {
    if (outside == null) {
      lock.lock();
      try {
        if (outside == null) {
          outside = new Witness(System.nanoTime());
        }
      } finally {
        lock.unlock();
      }
    }
    return outside;
  }

  Live live() {
    return live;
  }

  /** Guarded by the lock where it says so. */
  Copy copy() {
    return copy;
  }

  Endings endings() {
    return endings;
  }

  long checkedAtNanos() {
    return checkedAtNanos;
  }

  /**
   * Notes that the store vouched for the copy.
   *
   * @param beforeNanos monotonic time before it was asked
   */
  void checked(long beforeNanos) {
    checkedAtNanos = beforeNanos;
  }

  /** Notes that it was used; whether that is news. Of two at one moment both may bring it. */
  boolean touch() {
    boolean news = !touched;
    if (news) {
      touched = true;
    }
    return news;
  }

  /** From here on a use is news again. */
  void tellTouch() {
    touched = false;
  }

  /** The oldest change of the key that the store was not told, or did not answer; or null. */
  PendingRename pendingRename() {
    Queue<PendingRename> pending = pendingRenames;
    return pending == null ? null : pending.peek();
  }

  /** Adds a change of the key that the store was not told, or may have been. Alone. */
  void addRename(PendingRename rename) {
    if (pendingRenames == null) {
      pendingRenames = new ConcurrentLinkedQueue<>();
    }
    pendingRenames.add(rename);
  }

  /**
   * Whether the caller is the one that ends the live session, whose record has ended.
   *
   * @return true once
   */
  boolean takesEnd() {
    lock();
    try {
      boolean takes = !endTaken;
      endTaken = true;
      return takes;
    } finally {
      unlock();
    }
  }

  /** The store has answered a change of the key. Alone. */
  void answeredRename(PendingRename rename) {
    pendingRenames.remove(rename);
  }

  UnknownSave unknownSave() {
    return unknownSave;
  }

  void unknownSave(UnknownSave save) {
    unknownSave = save;
  }

  boolean owedRemoval() {
    return owedRemoval;
  }

  void owedRemoval(boolean owed) {
    owedRemoval = owed;
  }

  void moveTo(SessionKey newKey) {
    key = newKey;
  }

  void lock() {
    lock.lock();
  }

  void unlock() {
    lock.unlock();
  }

  List<Asked.Orphan> takeReplaced() {
    lock.lock();
    try {
      return copy.takeReplaced();
    } finally {
      lock.unlock();
    }
  }

  Life happened(Life.Event event) {
    lock.lock();
    try {
      return copy.happened(event);
    } finally {
      lock.unlock();
    }
  }

  // ---- The one flight

  /** Whether a flight is in the air. Under the lock. */
  boolean isFlying() {
    return pilot != null;
  }

  /** Begins a flight. Under the lock, while none is in the air. */
  void takeOff() {
    pilot = Thread.currentThread();
  }

  /** Ends the flight. */
  void land() {
    lock.lock();
    try {
      pilot = null;
      if (landed != null) {
        landed.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Waits for the flight to land. Under the lock.
   *
   * @param sinceNanos when the caller began to wait
   * @param deadlineNanos until when it waits; monotonic
   * @throws StoreUnavailableException if a flight that it waited for was not answered, or it waited
   *     long enough
   */
  void awaitLanding(long sinceNanos, long deadlineNanos) {
    if (pilot == Thread.currentThread()) {
      throw new IllegalStateException("a flight waits for itself");
    }
    if (landed == null) {
      landed = lock.newCondition();
    }
    boolean interrupted = false;
    try {
      while (pilot != null) {
        long left = deadlineNanos - System.nanoTime();
        if (left <= 0) {
          throw new StoreUnavailableException("other requests of the session went before too long");
        }
        try {
          landed.await(left, TimeUnit.NANOSECONDS);
          break;
        } catch (InterruptedException noReasonToStop) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    SharedSilence.rethrow(silence, sinceNanos);
  }

  /**
   * Shares the news that a flight was not answered: who waits for it need not wait as long again.
   *
   * @param silent what the store threw
   */
  void unanswered(StoreUnavailableException silent) {
    lock.lock();
    try {
      silence = new SharedSilence(silent);
    } finally {
      lock.unlock();
    }
  }

  // ---- Who is here

  void entered(Visit.Given seen) {
    lock.lock();
    try {
      seen.beside = visits;
      visits = seen;
    } finally {
      lock.unlock();
    }
  }

  void left(Visit.Given seen) {
    lock.lock();
    try {
      if (visits == seen) {
        visits = seen.beside;
      }
      for (Visit.Given one = visits; one != null; one = one.beside) {
        if (one.beside == seen) {
          one.beside = seen.beside;
        }
      }
    } finally {
      lock.unlock();
    }
  }

  List<Visit> visits() {
    lock.lock();
    try {
      List<Visit> here = new ArrayList<>();
      for (Visit.Given seen = visits; seen != null; seen = seen.beside) {
        here.add(seen.visit);
      }
      return here;
    } finally {
      lock.unlock();
    }
  }

  /** Whether a request that began after a moment may still work with the session. */
  boolean isVisited(long sinceNanos) {
    lock.lock();
    try {
      Visit.Given seen = visits;
      while (seen != null && !seen.visit.worksSince(sinceNanos)) {
        seen = seen.beside;
      }
      return seen != null;
    } finally {
      lock.unlock();
    }
  }
}
