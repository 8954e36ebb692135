package remora.tomcat.keeper;

import java.util.concurrent.locks.ReentrantLock;
import remora.tomcat.copy.Endings;
import remora.tomcat.store.SessionKey;

/**
 * The place of one session, by its id: there before the claim that fills it is sent, so that the
 * news that the session is lost again is never missed, however the reply and the news overtake each
 * other.
 */
final class Slot {

  /** Look-ups of one session share one round trip, and the wait for a store that is silent. */
  final ReentrantLock lock = new ReentrantLock();

  final String bareId;
  final SessionKey key;

  /** A look-up that was not answered; null while there was none. Under the lock. */
  SharedSilence silence;

  /** The session here; null while a claim is under way. */
  volatile Held held;

  private volatile Endings endings = new Endings();

  Slot(String bareId, SessionKey key) {
    this.bareId = bareId;
    this.key = key;
  }

  /** The news about the key. */
  Endings endings() {
    return endings;
  }

  /** Enters a session that has moved here, with the news about it. */
  void enter(Held moved) {
    endings = moved.endings();
    held = moved;
  }
}
