package remora.tomcat.store.grpc;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreState;

/**
 * From what happens on streams to how the store stands. Pure: time is handed in.
 *
 * <p>A search is over when a stream is confirmed by a majority, not when a node says welcome: a
 * node that has lost its majority may welcome again and again. Calls may go to it all the same,
 * unless the store was away before.
 *
 * <p>Time in which this process stood still is no time without a store, and what was tried before
 * the pause says nothing of the store after it.
 */
final class Outage {

  /** Whole attempts at every address, at least, before the store counts as away. */
  static final int ATTEMPTS_MIN = 3;

  /** A pause longer than this, in nanoseconds, hides what happened meanwhile. */
  private static final long PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(SessionStore.PAUSE_MILLIS);

  private final List<String> addresses;
  private final Map<String, Integer> attempts = new HashMap<>();
  private StoreState state;

  /** Whether a stream stands, and whether a majority confirmed it. */
  private boolean streaming;

  private boolean confirmed;
  private long stepNanos;
  private long soughtNanos;
  private long beganNanos;
  private long pausedNanos;

  Outage(List<String> addresses, long nowNanos) {
    this.addresses = addresses;
    begin(nowNanos, false);
    pausedNanos = nowNanos;
  }

  private void begin(long nowNanos, boolean acrossPause) {
    attempts.clear();
    soughtNanos = 0;
    beganNanos = nowNanos;
    stepNanos = nowNanos;
    state = new StoreState(StoreState.Kind.SEEKING, nowNanos, acrossPause);
  }

  StoreState state() {
    return state;
  }

  private void stand(StoreState.Kind kind, long sinceNanos) {
    state = new StoreState(kind, sinceNanos, state.isAcrossPause());
  }

  /** Whether a majority stands behind the stream in use. */
  boolean isOver() {
    return streaming && confirmed;
  }

  /** For how long the store has been sought, while this process ran. */
  long soughtNanos() {
    return soughtNanos;
  }

  /** Since when it has been sought. */
  long beganNanos() {
    return beganNanos;
  }

  /** A node said welcome, and its stream is in use. */
  void welcomed(long nowNanos) {
    streaming = true;
    confirmed = false;
    if (state.kind() == StoreState.Kind.SEEKING) {
      stand(StoreState.Kind.LED, nowNanos);
    }
  }

  /** A majority stands behind the stream in use. */
  void confirmed(long nowNanos) {
    confirmed = true;
    if (state.kind() == StoreState.Kind.AWAY) {
      stand(StoreState.Kind.LED, nowNanos);
    }
  }

  /** The stream in use has ended or is given up, perhaps across a pause. */
  void lost(long nowNanos, boolean acrossPause) {
    streaming = false;
    if (confirmed) {
      confirmed = false;
      begin(nowNanos, acrossPause);
    } else if (state.kind() == StoreState.Kind.LED) {
      stand(StoreState.Kind.SEEKING, beganNanos);
    }
  }

  /** An attempt at an address, begun then, has ended without a stream that a majority confirmed. */
  void attempted(String address, long begunNanos) {
    if (begunNanos - pausedNanos >= 0) {
      attempts.merge(address, 1, Integer::sum);
    }
  }

  /** Time passes: to be called several times a second while the search is not over. */
  void step(long nowNanos, boolean paused, long timeoutNanos) {
    if (paused || nowNanos - stepNanos > PAUSE_NANOS) {
      pausedNanos = nowNanos;
      attempts.clear();
      if (state.kind() == StoreState.Kind.AWAY) {
        stand(StoreState.Kind.SEEKING, beganNanos); // it may have come back and gone unheard
      }
    } else if (!isOver()) {
      soughtNanos += nowNanos - stepNanos;
    }
    stepNanos = nowNanos;
    if (state.kind() == StoreState.Kind.SEEKING
        && soughtNanos >= timeoutNanos
        && addresses.stream().allMatch(each -> attempts.getOrDefault(each, 0) >= ATTEMPTS_MIN)) {
      stand(StoreState.Kind.AWAY, beganNanos);
    }
  }
}
