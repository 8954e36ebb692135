package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Saves what changes while no request answers for it: by a timer, a socket, a thread that outlived
 * its request. On a thread of its own, since values are encoded on it.
 */
final class LateChanges {

  private static final Log log = LogFactory.getLog(LateChanges.class);

  /** So long after the last reading outside requests values are compared; milliseconds. */
  static final long COMPARED_AFTER_MILLIS = 1_000;

  private final Settler settler;
  private final String application;
  private final ApplicationThread thread;
  private final Set<Held> changed = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean due = new AtomicBoolean();

  LateChanges(Settler settler, KeeperSettings settings) {
    this.settler = settler;
    this.application = settings.application;
    thread = new ApplicationThread("remora-late-saves-" + settings.application, settings.loader);
  }

  /** Something of a session has changed. */
  void changed(Held held) {
    changed.add(held);
    if (due.compareAndSet(false, true)) {
      thread.execute(this::saveAll);
    }
  }

  /** Something of a session may have changed in place: it is compared at once. */
  void perhapsChanged(Held held) {
    changed.add(held);
    thread.execute(this::saveAll);
  }

  private void saveAll() {
    due.set(false);
    for (Held held : new ArrayList<>(changed)) {
      changed.remove(held);
      if (held.standing().life().isOver() || held.isUsed() && held.isOpen()) {
        continue; // there is nothing to save it in, or the end of the request saves it
      }
      try {
        settler.settleAll(held);
        held.outside().clear();
      } catch (SaveFailedException | StoreUnavailableException lost) {
        log.warn(
            application
                + ", session "
                + held.shortName()
                + ": a change that was made outside requests is lost: "
                + lost.getMessage());
      }
    }
  }

  void stop() {
    thread.stop();
  }
}
