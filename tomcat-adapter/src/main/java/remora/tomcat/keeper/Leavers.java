package remora.tomcat.keeper;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import remora.tomcat.copy.Endings;
import remora.tomcat.copy.Life;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoredSession;

/**
 * Sessions that have expired while their owner could not be told, and whose listeners this Tomcat
 * is offered to call.
 *
 * <p>They are no near copies. On the listeners' thread, just before it would call them, the store
 * is asked to bury the session; only who is the first goes on, so that they are called once at
 * most, wherever else the session was offered meanwhile. For that alone a session object is made,
 * under the hash of its id, since nobody here knows the id: no look-up finds it, and what listeners
 * change in it goes nowhere.
 */
final class Leavers {

  /**
   * Offers that wait for the listeners' thread, each with its record: what more come are left to
   * the store, which offers them again.
   */
  private static final int OFFERS_MAX = 1_024;

  private final Burials burials;
  private final Copies copies;
  private final Copies.Maker maker;
  private final ApplicationThread listeners;
  private final Set<SessionKey> waiting = ConcurrentHashMap.newKeySet();
  private volatile boolean stopped;

  Leavers(Burials burials, Copies copies, Copies.Maker maker, ApplicationThread listeners) {
    this.burials = burials;
    this.copies = copies;
    this.maker = maker;
    this.listeners = listeners;
  }

  /**
   * Takes an offer in. On the stream's thread: quick, and asks nobody.
   *
   * @param offer a push of a leaver
   */
  void offered(Push offer) {
    Slot slot = copies.slot(offer.key());
    if (slot != null) {
      slot.endings().lose(offer.epoch());
    }
    offer.acknowledge();
    if (waiting.size() < OFFERS_MAX && waiting.add(offer.key())) {
      listeners.execute(() -> bury(offer.key(), offer.record()));
    }
  }

  /** From here on others may have them. */
  void stop() {
    stopped = true;
  }

  private void bury(SessionKey key, StoredSession record) {
    try {
      if (!stopped && burials.isFirst(key, record.createdVersion())) {
        end(key, record);
      }
    } finally {
      waiting.remove(key);
    }
  }

  private void end(SessionKey key, StoredSession record) {
    Slot slot = copies.slot(key);
    Held here = slot == null ? null : slot.held;
    boolean owned = here != null && here.standing().epoch() == record.epoch();
    if (owned && here.takesEnd()) {
      here.happened(Life.Event.GONE);
      here.live().end();
    } else {
      made(key, record).end();
    }
  }

  private Live made(SessionKey key, StoredSession record) {
    Live live = maker.make(key.hashText(), record);
    Held held = new Held(live, key, new Endings());
    live.keptBy(held);
    held.lock();
    try {
      held.copy().take(record, true);
    } finally {
      held.unlock();
    }
    held.happened(Life.Event.GONE);
    return live;
  }
}
