package remora.tomcat.keeper;

import remora.tomcat.copy.Asked;
import remora.tomcat.copy.Life;

/**
 * Ends live sessions whose record has ended: with their listeners if this Tomcat owned them to the
 * end, without a word otherwise. Where it found the record gone without having been told, it asks
 * the store first: the session has expired then, and may have been offered to another Tomcat.
 */
final class Ends {

  private final ApplicationThread listeners;
  private final Sockets sockets;
  private final Burials burials;

  Ends(ApplicationThread listeners, Sockets sockets, Burials burials) {
    this.listeners = listeners;
    this.sockets = sockets;
    this.burials = burials;
  }

  /**
   * Tells a session's end, on the caller's thread, if it has ended.
   *
   * @param held a session
   */
  void tellIfOver(Held held) {
    Life life = held.standing().life();
    if (life == Life.ENDED_HERE) {
      closeSockets(held);
      if (held.takesEnd()) {
        end(held);
      }
    } else if (life == Life.ENDED_ELSEWHERE) {
      held.live().vanish();
    }
  }

  private void end(Held held) {
    if (held.copy().endWasTold() || burials.isFirst(held.key(), held.standing().createdVersion())) {
      held.live().end();
    } else {
      held.live().vanish();
    }
  }

  /**
   * Tells a session's end where no request is at hand.
   *
   * @param held a session
   */
  void tellSoon(Held held) {
    if (held.standing().life() == Life.ENDED_HERE) {
      closeSockets(held);
    }
    listeners.execute(() -> tellIfOver(held));
  }

  /**
   * Closes what was opened in a session that has ended: at once, whoever's listeners are slow.
   *
   * @param held the session
   */
  void closeSockets(Held held) {
    sockets.ended(held.key(), held.standing().createdVersion());
  }

  /**
   * Lets values go that lived here alone and whose place the store's have taken.
   *
   * @param held their session
   */
  void letGo(Held held) {
    for (Asked.Orphan value : held.takeReplaced()) {
      listeners.execute(() -> held.live().letGo(value.name(), value.value()));
    }
  }
}
