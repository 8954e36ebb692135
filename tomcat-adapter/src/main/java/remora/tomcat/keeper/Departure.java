package remora.tomcat.keeper;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Life;
import remora.tomcat.store.StoreUnavailableException;

/**
 * How a manager that stops gives up its sessions: what is unsaved is saved, and the store learns
 * that nobody owns them now. Nobody is logged out and no session ends.
 */
final class Departure {

  private static final Log log = LogFactory.getLog(Departure.class);

  /** Releases wait for a commit each and share commits: so many at a time hide the waiting. */
  private static final int THREADS = 16;

  /**
   * All applications of a JVM that stops take at most this long for it together; what is not
   * released is taken over all the same. Enough for thousands of sessions at a store that answers;
   * nanoseconds.
   */
  private static final long STOP_NANOS_MAX = 1_000_000_000L;

  /** Applications that stop so soon after one another stop with one JVM; nanoseconds. */
  private static final long ONE_STOP_NANOS = 500_000_000L;

  /** What is left of the JVM's present stop; nanoseconds. */
  private static long leftNanos = STOP_NANOS_MAX;

  /** When the last application had stopped; monotonic. */
  private static long lastStopNanos = System.nanoTime() - 2 * ONE_STOP_NANOS;

  private final Flights flights;
  private final Settler settler;
  private final AtomicInteger given = new AtomicInteger();
  private volatile boolean storeSilent;

  Departure(Flights flights, Settler settler) {
    this.flights = flights;
    this.settler = settler;
  }

  /**
   * Gives up sessions.
   *
   * @param sessions all that the manager holds
   * @return how many were given up
   */
  int leave(List<Held> sessions) {
    Queue<Held> left = new ConcurrentLinkedQueue<>(sessions);
    Thread[] threads = new Thread[Math.min(THREADS, sessions.size())];
    for (int i = 0; i < threads.length; i++) {
      threads[i] = new Thread(() -> releaseAll(left), "remora-departure-" + i);
      threads[i].setDaemon(true);
      threads[i].start();
    }
    long began = System.nanoTime();
    long deadline = began + leftNanos(began);
    try {
      for (Thread thread : threads) {
        long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        thread.join(Math.max(1, millis));
      }
    } catch (InterruptedException hurry) {
      Thread.currentThread().interrupt();
    }
    left.clear();
    stopped(began, System.nanoTime());
    return given.get();
  }

  private static synchronized long leftNanos(long nowNanos) {
    if (nowNanos - lastStopNanos > ONE_STOP_NANOS) {
      leftNanos = STOP_NANOS_MAX;
    }
    return leftNanos;
  }

  private static synchronized void stopped(long beganNanos, long nowNanos) {
    leftNanos = Math.max(0, leftNanos - (nowNanos - beganNanos));
    lastStopNanos = nowNanos;
  }

  private void releaseAll(Queue<Held> left) {
    Held held = left.poll();
    while (held != null && !storeSilent) {
      try {
        release(held);
        given.incrementAndGet();
      } catch (StoreUnavailableException silent) {
        storeSilent = true;
        log.warn("Sessions are left without release: " + silent.getMessage());
      } catch (RuntimeException broken) {
        log.warn("A session could not be released: " + broken.getMessage());
      }
      held = left.poll();
    }
  }

  private void release(Held held) {
    settler.settleAll(held);
    Life life = held.standing().life();
    if (held.standing().epoch() != 0 && life == Life.OWNED && !held.copy().isLost()) {
      flights.alone(
          held,
          () -> {
            flights.release(held);
            return null;
          });
    }
    held.happened(Life.Event.DEPARTS);
  }
}
