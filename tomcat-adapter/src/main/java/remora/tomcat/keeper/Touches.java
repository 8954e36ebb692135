package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/**
 * Tells the store every few seconds which sessions were used, and at once where one would expire
 * before that. On a thread of its own, on which nothing of the application's ever runs: who is in
 * use is never logged out because somebody's listener is slow.
 */
final class Touches {

  private static final Log log = LogFactory.getLog(Touches.class);

  /** Touches are collected this long: a session expires at most so much too early. */
  static final long COLLECTED_MILLIS = 5_000;

  private final SessionStore store;
  private final Copies copies;
  private final Ends ends;

  /** Sessions that were used since they were last told; each notes that it is in here. */
  private final Queue<Held> used = new ConcurrentLinkedQueue<>();

  private final Map<Held, Long> putOff = new ConcurrentHashMap<>();
  private final AtomicBoolean due = new AtomicBoolean();
  private final ScheduledExecutorService thread;
  private boolean storeSilent;

  Touches(SessionStore store, Copies copies, Ends ends, String application) {
    this.store = store;
    this.copies = copies;
    this.ends = ends;
    thread =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread made = new Thread(work, "remora-touches-" + application);
              made.setDaemon(true);
              made.setContextClassLoader(Touches.class.getClassLoader());
              return made;
            });
  }

  void start() {
    thread.scheduleWithFixedDelay(
        this::tellAll, COLLECTED_MILLIS, COLLECTED_MILLIS, TimeUnit.MILLISECONDS);
  }

  void stop() {
    thread.shutdown();
  }

  /**
   * Remembers that a session was used.
   *
   * @param held a session
   */
  void used(Held held) {
    if (held.touch()) {
      used.add(held);
    }
  }

  /**
   * Remembers that a session was used that may expire before the next touch, and tells the store at
   * once.
   *
   * @param held a session
   */
  void usedLate(Held held) {
    used(held);
    if (due.compareAndSet(false, true)) {
      execute(
          () -> {
            due.set(false);
            tellAll();
          });
    }
  }

  /**
   * Runs what asks the store and runs nothing of the application's.
   *
   * @param work what to run
   */
  void execute(Runnable work) {
    try {
      thread.execute(work);
    } catch (RejectedExecutionException stopping) {
      log.debug("The manager stops: its sessions are released", stopping);
    }
  }

  /**
   * Runs something a while after it was last asked for.
   *
   * @param millis how long after
   * @param held whose it is; asked for again meanwhile, it is put off
   * @param work what to run
   */
  void after(long millis, Held held, Runnable work) {
    if (putOff.put(held, System.nanoTime()) == null) {
      schedule(millis, held, work);
    }
  }

  private void schedule(long millis, Held held, Runnable work) {
    try {
      thread.schedule(() -> runUnlessPutOff(millis, held, work), millis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException stopping) {
      putOff.remove(held);
    }
  }

  private void runUnlessPutOff(long millis, Held held, Runnable work) {
    Long asked = putOff.get(held);
    long left = asked == null ? 0 : millis - (System.nanoTime() - asked) / 1_000_000;
    if (left > 0) {
      schedule(left, held, work);
    } else {
      putOff.remove(held);
      work.run();
    }
  }

  private void tellAll() {
    List<Touch> touches = new ArrayList<>();
    List<Held> taken = new ArrayList<>();
    for (Held held = used.poll(); held != null; held = used.poll()) {
      held.tellTouch();
      taken.add(held);
      Standing standing = held.standing();
      if (standing.epoch() != 0 && held.copy().isUsable()) {
        touches.add(new Touch(held.key(), standing.epoch(), held.live().lastAccessMillis()));
      }
    }
    if (touches.isEmpty()) {
      return;
    }
    try {
      tell(touches);
      storeSilent = false;
    } catch (StoreUnavailableException silent) {
      taken.forEach(this::used);
      if (!storeSilent) {
        storeSilent = true;
        log.warn("The store was not told which sessions are in use: " + silent.getMessage());
      }
    } catch (RuntimeException broken) {
      log.error("The store could not be told which sessions are in use", broken);
    }
  }

  private void tell(List<Touch> touches) {
    TouchOutcome outcome = store.touch(touches);
    for (Touch fenced : outcome.fenced()) {
      Slot slot = copies.slot(fenced.key());
      if (slot != null) {
        slot.endings().lose(fenced.epoch());
      }
    }
    for (Touch gone : outcome.gone()) {
      Slot slot = copies.slot(gone.key());
      if (slot != null) {
        slot.endings().lose(gone.epoch());
        endIfOwned(slot.held, gone.epoch());
      }
    }
  }

  private void endIfOwned(Held held, long epoch) {
    if (held != null && held.standing().epoch() == epoch) {
      held.happened(Life.Event.GONE);
      ends.tellSoon(held);
    }
  }
}
