package remora.tomcat.keeper;

import java.util.function.Consumer;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;

/** Where the sessions are that have open sockets, by what this Tomcat holds of them. */
final class SocketSessions implements Sockets.Whereabouts {

  private final Copies copies;
  private final SessionStore store;
  private final Consumer<Held> asking;

  /**
   * Sessions of an application.
   *
   * @param copies what is held here
   * @param store tells of what is not
   * @param asking asks the store about a session, soon and on another thread
   */
  SocketSessions(Copies copies, SessionStore store, Consumer<Held> asking) {
    this.copies = copies;
    this.store = store;
    this.asking = asking;
  }

  private Held held(SessionKey key) {
    Slot slot = copies.slot(key);
    return slot == null ? null : slot.held;
  }

  @Override
  public Sockets.Place find(SessionKey key, long createdVersion) {
    Held held = held(key);
    if (held == null) {
      return Sockets.Place.away(createdVersion);
    }
    Standing standing = held.standing();
    long life = standing.createdVersion();
    boolean another = createdVersion != 0 && life != 0 && life != createdVersion;
    if (another || standing.life() == Life.ENDED_HERE) {
      return Sockets.Place.OVER;
    } else if (standing.life() == Life.ENDED_ELSEWHERE || held.copy().isLost()) {
      return Sockets.Place.away(life != 0 ? life : createdVersion);
    }
    return Sockets.Place.here(life);
  }

  @Override
  public void ask(SessionKey key) {
    Held held = held(key);
    if (held != null) {
      asking.accept(held);
    }
  }

  @Override
  public void watch(SessionKey key, long createdVersion) {
    store.watch(key, createdVersion);
  }

  @Override
  public void unwatch(SessionKey key) {
    store.unwatch(key);
  }
}
