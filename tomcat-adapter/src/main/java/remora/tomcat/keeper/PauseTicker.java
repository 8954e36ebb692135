package remora.tomcat.keeper;

import java.util.concurrent.TimeUnit;
import remora.tomcat.store.SessionStore;

/**
 * Notices that this process stood still: a long collection, SIGSTOP, a suspended machine. A request
 * that spans such a pause may be a zombie's, so its saves do not take sessions back from others.
 *
 * <p>Looks at two clocks: the monotonic one stops while a machine sleeps, the other one jumps when
 * somebody sets it. A false alarm only costs a failed save.
 */
public final class PauseTicker {

  /** Pauses longer than this count; the store trusts a near copy for no shorter a time. */
  public static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(SessionStore.PAUSE_MILLIS);

  /** How often the ticker looks, in milliseconds: a tenth of the pause it must not miss. */
  private static final long TICK_MILLIS = 100;

  /** The one ticker of this JVM: pauses are the process's, not a manager's. */
  private static final PauseTicker SHARED = started();

  private volatile long lastTickNanos;
  private volatile long lastTickMillis;
  private volatile long lastPauseEndNanos;
  private volatile boolean pausedEver;

  /**
   * Makes a ticker that is driven by hand.
   *
   * @param nowNanos monotonic time
   * @param nowMillis wall-clock time
   */
  public PauseTicker(long nowNanos, long nowMillis) {
    lastTickNanos = nowNanos;
    lastTickMillis = nowMillis;
  }

  /**
   * The ticker of this JVM, running.
   *
   * @return the shared ticker
   */
  public static PauseTicker shared() {
    return SHARED;
  }

  private static PauseTicker started() {
    PauseTicker ticker = new PauseTicker(System.nanoTime(), System.currentTimeMillis());
    Thread thread = new Thread(ticker::run, "remora-pause-ticker");
    thread.setDaemon(true);
    thread.setContextClassLoader(null);
    thread.start();
    return ticker;
  }

  private void run() {
    try {
      while (true) {
        Thread.sleep(TICK_MILLIS);
        tick(System.nanoTime(), System.currentTimeMillis());
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Looks at the clocks.
   *
   * @param nowNanos monotonic time
   * @param nowMillis wall-clock time
   */
  public void tick(long nowNanos, long nowMillis) {
    if (isPause(nowNanos, nowMillis)) {
      lastPauseEndNanos = nowNanos;
      pausedEver = true;
    }
    lastTickNanos = nowNanos;
    lastTickMillis = nowMillis;
  }

  private boolean isPause(long nowNanos, long nowMillis) {
    return nowNanos - lastTickNanos > PAUSE_NANOS
        || (nowMillis - lastTickMillis) * 1_000_000L > PAUSE_NANOS;
  }

  /**
   * Whether the process stood still since a moment. Also true when the ticker itself has not run
   * yet after the pause.
   *
   * @param sinceNanos {@link System#nanoTime()} at the start of the request
   * @return whether a pause ended after that moment or is only ending now
   */
  public boolean pausedSince(long sinceNanos) {
    return pausedSince(sinceNanos, System.nanoTime(), System.currentTimeMillis());
  }

  /**
   * As {@link #pausedSince(long)}, with the time as an argument.
   *
   * @param sinceNanos monotonic time at the start of the request
   * @param nowNanos monotonic time
   * @param nowMillis wall-clock time
   * @return whether a pause ended after that moment or is only ending now
   */
  boolean pausedSince(long sinceNanos, long nowNanos, long nowMillis) {
    return isPause(nowNanos, nowMillis) || pausedEver && lastPauseEndNanos - sinceNanos >= 0;
  }
}
