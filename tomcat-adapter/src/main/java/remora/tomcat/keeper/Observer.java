package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Draft;
import remora.tomcat.copy.Encoding;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.Touch;

/**
 * Watches sessions that live and expire as under Tomcat's own manager, and tells the store behind
 * their backs what it would have to keep: {@code mode="observe"}, by which a site learns what its
 * sessions hold before anything depends on it.
 *
 * <p>Nothing here can harm a request: none waits for it, none is refused, and the copies see their
 * sessions through a {@link Window}, which nothing can be written through. One thread looks at
 * values and calls the store; what comes while too much waits is dropped and counted.
 */
public final class Observer {

  private static final Log log = LogFactory.getLog(Observer.class);

  /** Errands that wait for the thread: a silent store must not fill the heap. */
  static final int WAITING_MAX = 10_000;

  /** The store may think for so long that a session is unused; milliseconds. */
  private static final long TOUCH_MILLIS = 30_000;

  private final SessionIds ids;
  private final SessionStore store;
  private final Encoder encoder;
  private final ApplicationThread thread;
  private final ConcurrentMap<Live, Watched> sessions = new ConcurrentHashMap<>();
  private final AtomicInteger waiting = new AtomicInteger();
  private final LongAdder dropped = new LongAdder();
  private final LongAdder refused = new LongAdder();
  private final LongAdder changedInPlace = new LongAdder();
  private volatile boolean stopped;

  /**
   * Watches the sessions of an application.
   *
   * @param settings what it is told
   * @param store where the records go
   * @param encoder looks at values
   */
  public Observer(KeeperSettings settings, SessionStore store, Encoder encoder) {
    this.ids = settings.ids;
    this.store = store;
    this.encoder = encoder;
    thread = new ApplicationThread("remora-observer-" + settings.application, settings.loader);
  }

  /** Ends with what is under way; what waits is dropped. */
  public void stop() {
    stopped = true;
    thread.stop();
  }

  // ---- What sessions tell; never waits

  /**
   * A session was made, or is found under another id.
   *
   * @param live the session, with its id
   */
  public void entered(Live live) {
    sessions.computeIfAbsent(live, made -> new Watched(made, key(made)));
  }

  /**
   * Something of it changes.
   *
   * @param live a session
   * @param name what, as the store has it
   */
  public void marked(Live live, String name) {
    Watched watched = sessions.get(live);
    if (watched != null) {
      watched.marked(name);
    }
  }

  /**
   * A mutable value of it was handed out.
   *
   * @param live a session
   * @param name its name as the store has it
   * @param handed the value
   */
  public void read(Live live, String name, Object handed) {
    Watched watched = sessions.get(live);
    if (watched != null) {
      watched.read(name, handed);
    }
  }

  /**
   * A request has ended that used it.
   *
   * @param live a session
   */
  public void used(Live live) {
    Watched watched = sessions.get(live);
    if (watched != null && watched.beginsToWait() && !run(() -> look(watched))) {
      watched.waitsNoMore();
    }
  }

  /**
   * It has another id.
   *
   * @param live a session
   */
  public void renamed(Live live) {
    Watched watched = sessions.get(live);
    SessionKey newKey = key(live);
    if (watched != null) {
      run(() -> rename(watched, newKey));
    }
  }

  /**
   * It has ended.
   *
   * @param live a session
   */
  public void ended(Live live) {
    Watched watched = sessions.remove(live);
    if (watched != null) {
      run(() -> remove(watched));
    }
  }

  private SessionKey key(Live live) {
    return ids.key(SessionIds.bare(live.id()));
  }

  // ---- Figures

  /**
   * What the store was not told because too much waited, or it did not answer.
   *
   * @return a count since the start
   */
  public long dropped() {
    return dropped.sum();
  }

  /**
   * What the store refused: answers that would have been refused, too.
   *
   * @return a count since the start
   */
  public long refused() {
    return refused.sum();
  }

  /**
   * Values found changed without {@code setAttribute}.
   *
   * @return a count since the start
   */
  public long changedInPlace() {
    return changedInPlace.sum();
  }

  // ---- The thread

  private boolean run(Runnable errand) {
    if (waiting.incrementAndGet() > WAITING_MAX) {
      waiting.decrementAndGet();
      dropped.increment();
      return false;
    }
    thread.execute(
        () -> {
          waiting.decrementAndGet();
          if (!stopped) {
            attempt(errand);
          }
        });
    return true;
  }

  private void attempt(Runnable errand) {
    try {
      errand.run();
    } catch (StoreUnavailableException silent) {
      dropped.increment();
      log.debug("The store was not told", silent);
    }
  }

  private void look(Watched watched) {
    repeatUnknown(watched);
    List<Encoding> found = new ArrayList<>();
    for (String name : watched.takeSeen()) {
      try {
        found.add(encoder.encode(watched.live, name, watched.draw()));
      } catch (Encoder.ChangingException changing) {
        log.debug("It is looked at again after its next use", changing);
      }
    }
    changedInPlace.add(watched.offer(found));
    Draft draft = watched.takeOff();
    if (draft != null) {
      save(watched, draft);
    } else if (watched.wantsTouch(TOUCH_MILLIS)) {
      touch(watched);
    }
  }

  /** What was not answered is repeated under its own request id before anything else is told. */
  private void repeatUnknown(Watched watched) {
    UnknownSave again = watched.unknown;
    if (again != null) {
      save(watched, again.draft, again.serial, again.onto);
    }
  }

  private void save(Watched watched, Draft draft) {
    save(watched, draft, store.nextSerial(), draft.creates() ? 0 : draft.base());
  }

  private void save(Watched watched, Draft draft, long firstSerial, long firstOnto) {
    long serial = firstSerial;
    long onto = firstOnto;
    for (int i = 0; i < Flights.TRIES_MAX; i++) {
      watched.unknown = new UnknownSave(watched.key, serial, draft, onto);
      SaveOutcome outcome;
      try {
        outcome = store.save(serial, watched.key, watched.change(draft, onto));
      } catch (StoreRefusedException notTaken) {
        saveSmaller(watched, draft, notTaken);
        return;
      }
      watched.unknown = null;
      if (outcome.kind() == SaveOutcome.Kind.SAVED) {
        watched.saved(draft, outcome);
        return;
      } else if (draft.creates() && outcome.tombstone() != onto) {
        onto = outcome.tombstone(); // the id was used before
      } else if (outcome.kind() != SaveOutcome.Kind.STALE) {
        break;
      }
      serial = store.nextSerial();
    }
    refused.increment();
    watched.startOver();
  }

  private void saveSmaller(Watched watched, Draft draft, StoreRefusedException refusal) {
    watched.unknown = null;
    refused.increment();
    boolean tooLarge = refusal.reason() == StoreRefusedException.Reason.TOO_LARGE;
    Draft rest = tooLarge && watched.keepLargest(draft) ? watched.takeOff() : null;
    if (rest != null) {
      save(watched, rest);
    }
  }

  private void touch(Watched watched) {
    long access = watched.live.lastAccessMillis();
    store.touch(Collections.singletonList(new Touch(watched.key, watched.epoch(), access)));
    watched.touched(access);
  }

  private void rename(Watched watched, SessionKey newKey) {
    repeatUnknown(watched);
    if (watched.epoch() == 0) {
      watched.key = newKey;
      return;
    }
    CommandOutcome outcome = store.rename(store.nextSerial(), watched.key, newKey, watched.epoch());
    if (outcome.kind() == CommandOutcome.Kind.DONE) {
      watched.renamed(newKey, outcome.version());
    } else {
      refused.increment();
      watched.key = newKey;
      watched.startOver();
    }
  }

  private void remove(Watched watched) {
    repeatUnknown(watched);
    if (watched.epoch() != 0) {
      store.remove(
          store.nextSerial(),
          watched.key,
          watched.createdVersion(),
          watched.epoch(),
          RemoveReason.LOGOUT);
    }
  }
}
