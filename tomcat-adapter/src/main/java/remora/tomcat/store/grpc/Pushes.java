package remora.tomcat.store.grpc;

import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.Push;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.SessionKey;

/**
 * Hands pushes to their listeners on a thread of its own, then acknowledges them: a listener that
 * waits for a session in use must not hold up the replies that would free it.
 */
final class Pushes implements AutoCloseable {

  /**
   * Pushes that may wait. One more and the stream is given up: near copies are then asked for
   * instead of trusted, which is slower and as safe.
   */
  static final int WAITING_MAX = 10_000;

  private static final Log LOG = LogFactory.getLog(Pushes.class);

  private final Map<String, PushListener> listeners = new ConcurrentHashMap<>();
  private final ExecutorService thread =
      new ThreadPoolExecutor(
          1, 1, 0, TimeUnit.SECONDS, new LinkedBlockingQueue<>(WAITING_MAX), new Threads("push"));

  /** When the pushes came that wait or are being delivered; the oldest first. */
  private final Queue<Long> arrivals = new ConcurrentLinkedQueue<>();

  void listen(String application, PushListener listener) {
    listeners.put(application, listener);
  }

  void forget(String application, PushListener listener) {
    listeners.remove(application, listener);
  }

  /** Delivers a push, then runs the acknowledgement. False when too many wait. */
  boolean deliver(Push push, Runnable acknowledgement) {
    Long came = System.nanoTime();
    arrivals.add(came); // before the thread may run, so that no moment is unseen
    try {
      thread.execute(
          () -> {
            try {
              deliverNow(push, acknowledgement);
            } finally {
              arrivals.remove(came);
            }
          });
      return true;
    } catch (RejectedExecutionException full) {
      arrivals.remove(came);
      return false;
    }
  }

  /** Whether a copy that another server may own by now may still be here: a push waits so long. */
  boolean isLate(long nowNanos, long lateNanos) {
    Long oldest = arrivals.peek();
    return oldest != null && nowNanos - oldest > lateNanos;
  }

  private void deliverNow(Push push, Runnable acknowledgement) {
    PushListener listener = listeners.get(push.getSession().getApplication());
    PushListener.Kind kind = FromWire.pushKind(push.getKind());
    if (listener != null && kind != null) {
      try {
        SessionKey key = FromWire.key(push.getSession());
        listener.pushed(key, kind, push.getEpoch());
      } catch (RuntimeException notDropped) {
        LOG.error("a session that moved could not be dropped; its copy may be stale", notDropped);
        return;
      }
    }
    acknowledgement.run();
  }

  @Override
  public void close() {
    thread.shutdown();
  }
}
