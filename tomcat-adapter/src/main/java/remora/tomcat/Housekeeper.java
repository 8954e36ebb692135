package remora.tomcat;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/**
 * What a manager does beside requests, on one thread of its own: tells the store every few seconds
 * which sessions were used, and at once where one would expire before that; saves what was changed
 * outside requests; and ends sessions that the store has ended, with their listeners.
 */
final class Housekeeper {

  private static final Log log = LogFactory.getLog(Housekeeper.class);

  /** Touches are collected this long: a session expires at most so much too early. */
  static final long TOUCH_MILLIS = 5_000;

  private final SessionStore store;
  private final NearCopies copies;
  private final ClassLoader applicationLoader;
  private final SessionSaver saver;
  private final Set<RemoraSession> used = ConcurrentHashMap.newKeySet();
  private final Set<RemoraSession> changed = ConcurrentHashMap.newKeySet();
  private final AtomicBoolean touchDue = new AtomicBoolean();
  private final AtomicBoolean saveDue = new AtomicBoolean();
  private final ScheduledExecutorService thread;
  private boolean storeSilent;

  Housekeeper(
      SessionStore store,
      NearCopies copies,
      SessionSaver saver,
      ClassLoader applicationLoader,
      String application) {
    this.store = store;
    this.saver = saver;
    this.copies = copies;
    this.applicationLoader = applicationLoader;
    thread =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread made = new Thread(work, "remora-housekeeper-" + application);
              made.setDaemon(true);
              made.setContextClassLoader(Housekeeper.class.getClassLoader());
              return made;
            });
  }

  void start() {
    thread.scheduleWithFixedDelay(this::touch, TOUCH_MILLIS, TOUCH_MILLIS, TimeUnit.MILLISECONDS);
  }

  void stop() {
    thread.shutdown();
  }

  /**
   * Remembers that a session was used.
   *
   * @param session a session
   */
  void used(RemoraSession session) {
    used.add(session);
  }

  /**
   * Remembers that a session was used that may expire before the next touch, and tells the store at
   * once.
   *
   * @param session a session
   */
  void usedLate(RemoraSession session) {
    used.add(session);
    soon(touchDue, this::touch);
  }

  /**
   * Saves a session that was changed while no request used it.
   *
   * @param session a session
   */
  void changedOutside(RemoraSession session) {
    changed.add(session);
    soon(saveDue, this::saveChanged);
  }

  private void soon(AtomicBoolean due, Runnable work) {
    if (!due.compareAndSet(false, true)) {
      return;
    }
    try {
      thread.execute(
          () -> {
            due.set(false);
            work.run();
          });
    } catch (RejectedExecutionException stopping) {
      log.debug("The manager stops and saves what is open by itself", stopping);
    }
  }

  private void saveChanged() {
    for (RemoraSession session : new ArrayList<>(changed)) {
      changed.remove(session);
      if (session.isInUse() || !session.hasMarks()) {
        continue; // the end of the request saves it
      }
      try {
        saver.settle(session, session.flights.failures(), System.nanoTime());
      } catch (RuntimeException | Error notSaved) {
        log.error("A change that was made outside requests is lost", notSaved);
      }
    }
  }

  /**
   * Ends sessions that the store has ended.
   *
   * @param session a session, already out of use
   */
  void end(RemoraSession session) {
    if (!thread.isShutdown()) {
      thread.execute(() -> endNow(session));
    }
  }

  private void endNow(RemoraSession session) {
    Thread current = Thread.currentThread();
    ClassLoader before = current.getContextClassLoader();
    current.setContextClassLoader(applicationLoader);
    try {
      if (session.isLost()) {
        session.expireGone();
      }
    } catch (RuntimeException broken) {
      log.error("A session that the store ended could not be ended here", broken);
    } finally {
      current.setContextClassLoader(before);
    }
  }

  private void touch() {
    List<Touch> touches = new ArrayList<>();
    List<RemoraSession> taken = new ArrayList<>(used);
    for (RemoraSession session : taken) {
      used.remove(session);
      long epoch = session.epoch();
      if (epoch != 0 && session.isLive() && !session.isLost() && !session.unusable) {
        touches.add(new Touch(session.key(), epoch, session.lastAccessMillis()));
      }
    }
    if (touches.isEmpty()) {
      return;
    }
    try {
      tell(touches);
      storeSilent = false;
    } catch (StoreUnavailableException silent) {
      used.addAll(taken);
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
      copies.lost(fenced.key(), fenced.epoch());
    }
    for (Touch gone : outcome.gone()) {
      RemoraSession session = copies.ended(gone.key(), gone.epoch());
      if (session != null) {
        endNow(session);
      }
    }
  }
}
