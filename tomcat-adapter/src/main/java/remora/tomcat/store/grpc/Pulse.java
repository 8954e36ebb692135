package remora.tomcat.store.grpc;

import java.util.concurrent.TimeUnit;

/**
 * When a stream is probed, and when its silence means that its node leads no more. Time is given.
 *
 * <p>A node speaks when it is asked. While requests use the stream, the next probe leaves as soon
 * as the last one is confirmed, so silence is found within a fraction of a second. A stream that
 * nobody uses is probed every few seconds: between these probes silence is what both sides agreed
 * on, and no sign of anything.
 *
 * <p>One thread at a time sends probes (the outbox's send lock), one hears; any thread uses.
 */
final class Pulse {

  /**
   * How long after its last use a stream is probed without a pause: longer than a user reads a
   * page, so that a site with few users asks for no session twice.
   */
  private static final long BUSY_AFTER_USE_NANOS = TimeUnit.SECONDS.toNanos(30);

  /**
   * How often an idle stream is probed: seldom enough to cost nothing, and often enough that the
   * first request after a quiet hour does not have to find a new leader.
   */
  private static final long IDLE_PROBE_EVERY_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** Uses are noted no more often than this, as every request is one. */
  private static final long USE_NOTED_NANOS = TimeUnit.SECONDS.toNanos(1);

  /**
   * How long a probe may stay unconfirmed: a leader without a majority goes on speaking, and
   * another is elected within less.
   */
  private static final long UNCONFIRMED_NANOS_MAX = TimeUnit.SECONDS.toNanos(2);

  private volatile long heardNanos;
  private volatile long probeNanos;
  private volatile long usedNanos;

  /** When the last idle time ended; what was not said in it is no silence. */
  private volatile long wokeNanos;

  private volatile boolean due;

  Pulse(long nowNanos) {
    heardNanos = nowNanos;
    probeNanos = nowNanos;
    usedNanos = nowNanos;
    wokeNanos = nowNanos;
  }

  /** A request uses the stream, or its trust. */
  void use(long nowNanos) {
    if (nowNanos - usedNanos > USE_NOTED_NANOS) {
      if (isIdle(nowNanos)) {
        wokeNanos = nowNanos;
      }
      usedNanos = nowNanos;
    }
  }

  /** The node said something. */
  void heard(long nowNanos) {
    heardNanos = nowNanos;
  }

  /** The newest probe was confirmed: the next one may leave. */
  void confirmed() {
    due = true;
  }

  /** A probe leaves. The time is written first: whoever sees it under way knows since when. */
  void probed(long nowNanos) {
    probeNanos = nowNanos;
    due = false;
  }

  /** When the newest probe left. */
  long probeNanos() {
    return probeNanos;
  }

  /** Whether none is under way and the next one should leave. */
  boolean isProbeDue(long nowNanos) {
    return due && (!isIdle(nowNanos) || nowNanos - probeNanos >= IDLE_PROBE_EVERY_NANOS);
  }

  /**
   * For how long the node may still say nothing, in nanoseconds; below zero it leads no more: it is
   * silent for longer than a leader ever is, or no majority has confirmed a probe for longer than
   * an election takes.
   */
  long patienceNanos(long silenceNanosMax, long nowNanos) {
    long silence = Math.min(nowNanos - heardNanos, nowNanos - wokeNanos);
    if (due) {
      return isIdle(nowNanos) ? IDLE_PROBE_EVERY_NANOS : silenceNanosMax - silence;
    }
    long underWay = nowNanos - probeNanos;
    return Math.min(
        silenceNanosMax - Math.min(silence, underWay), UNCONFIRMED_NANOS_MAX - underWay);
  }

  private boolean isIdle(long nowNanos) {
    return nowNanos - usedNanos >= BUSY_AFTER_USE_NANOS;
  }
}
