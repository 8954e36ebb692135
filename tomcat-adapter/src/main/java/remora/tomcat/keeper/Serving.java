package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import remora.tomcat.copy.Life;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreState;

/**
 * Whether this Tomcat may go on by itself while the store is away ({@code onStoreLoss="serve"}):
 * with the sessions that it owned when the store was last heard, and with new ones. Knows which
 * sessions owe the store something since.
 *
 * <p>That is availability by choice: meanwhile another Tomcat that reaches the store may take such
 * a session, and what is owed is lost with this one.
 */
final class Serving {

  /** Sessions that may owe something: enough for a busy hour, and still a bound on memory. */
  private static final int SESSIONS_MAX = 65_536;

  private final SessionStore store;
  private final boolean chosen;
  private final Set<Held> owing = ConcurrentHashMap.newKeySet();

  Serving(SessionStore store, boolean chosen) {
    this.store = store;
    this.chosen = chosen;
  }

  /** Whether an administrator has chosen it. */
  boolean isChosen() {
    return chosen;
  }

  /** Whether the store is away now, and this Tomcat goes on by itself. */
  boolean isOn() {
    return chosen && store.state().kind() == StoreState.Kind.AWAY;
  }

  /**
   * Whether this Tomcat may go on with a session by itself.
   *
   * @param held the session
   * @return false while the store is there, and for what this Tomcat may have lost unheard
   */
  boolean mayGoOn(Held held) {
    if (!isOn()) {
      return false;
    }
    Life life = held.standing().life();
    return life == Life.SERVING
        || life == Life.NEW
        || !held.copy().isLost()
            && !life.isOver()
            && !store.state().isAcrossPause()
            && owing.size() < SESSIONS_MAX;
  }

  /**
   * Remembers that a session owes the store something.
   *
   * @param held the session
   */
  void owe(Held held) {
    held.happened(Life.Event.AWAY);
    owing.add(held);
  }

  boolean owes(Held held) {
    return !owing.isEmpty() && owing.contains(held);
  }

  void paid(Held held) {
    owing.remove(held);
  }

  List<Held> owing() {
    return new ArrayList<>(owing);
  }
}
