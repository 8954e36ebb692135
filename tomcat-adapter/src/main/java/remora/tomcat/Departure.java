package remora.tomcat;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;

/**
 * How a manager that stops gives up its sessions: what is unsaved is saved, activation listeners
 * hear of it, and the store learns that nobody owns them now. Nobody is logged out and no session
 * ends.
 */
final class Departure {

  private static final Log log = LogFactory.getLog(Departure.class);

  /** Releases wait for a commit each and share commits: so many at a time hide the waiting. */
  private static final int THREADS = 16;

  /** A stop takes at most this long for it; what is not released is taken over all the same. */
  private static final long WAIT_SECONDS = 15;

  private final SessionStore store;
  private final SessionSaver saver;
  private volatile boolean storeSilent;

  Departure(SessionStore store, SessionSaver saver) {
    this.store = store;
    this.saver = saver;
  }

  /**
   * Gives up sessions.
   *
   * @param sessions all that the manager holds
   */
  void leave(List<RemoraSession> sessions) {
    for (RemoraSession session : sessions) {
      session.passivate();
    }
    Queue<RemoraSession> left = new ConcurrentLinkedQueue<>(sessions);
    Thread[] threads = new Thread[Math.min(THREADS, sessions.size())];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> releaseAll(left), "remora-departure-" + i);
      threads[i].setDaemon(true);
      threads[i].start();
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
    try {
      for (Thread thread : threads) {
        thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
      }
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
    left.clear();
  }

  private void releaseAll(Queue<RemoraSession> left) {
    RemoraSession session = left.poll();
    while (session != null && !storeSilent) {
      try {
        release(session);
      } catch (StoreUnavailableException silent) {
        storeSilent = true;
        log.warn("Sessions are left without release: " + silent.getMessage());
      } catch (RuntimeException broken) {
        log.warn("A session could not be released: " + broken.getMessage());
      }
      session = left.poll();
    }
  }

  private void release(RemoraSession session) {
    if (session.epoch() == 0 || session.isLost() || session.unusable) {
      return;
    }
    saver.settle(session, session.flights.failures(), System.nanoTime());
    session.flights.alone(() -> store.release(store.nextSerial(), session.key(), session.epoch()));
  }
}
