package remora.tomcat.codec;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadInfo;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * Runs an application's serialization for a thread that may hold its monitors, as a page does that
 * prints within {@code synchronized}. Two such pages that each write what the other holds would
 * wait for each other for ever; so the work is done by a thread that holds nothing, and the page
 * waits for it only as long as it runs. What the page itself holds it writes itself.
 */
final class Aside {

  /** How long somebody else's monitor is waited for; whoever holds it is answered meanwhile. */
  private static final long BLOCKED_NANOS_MAX = TimeUnit.SECONDS.toNanos(2);

  /** The first wait, in milliseconds: most values are written within it. */
  private static final long LOOK_MILLIS_MIN = 1;

  /** The longest wait between two looks at what the thread waits for, in milliseconds. */
  private static final long LOOK_MILLIS_MAX = 16;

  private Aside() {}

  /**
   * Does the work on another thread, or here if it needs what this thread holds.
   *
   * @param work may be begun twice; throws nothing but unchecked
   * @return what it gave
   * @throws BlockedException if another thread holds what it needs for too long
   */
  static <T> T call(Supplier<T> work) {
    FutureTask<T> task = new FutureTask<>(work::get);
    Thread thread = new Thread(task, "remora-value-aside");
    thread.setDaemon(true);
    thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
    thread.start();
    boolean interrupted = false;
    long blocked = 0;
    long millis = LOOK_MILLIS_MIN;
    try {
      while (blocked < BLOCKED_NANOS_MAX) {
        try {
          return task.get(millis, TimeUnit.MILLISECONDS);
        } catch (InterruptedException noReasonToStop) {
          interrupted = true;
        } catch (TimeoutException stillAtWork) {
          ThreadInfo info = ManagementFactory.getThreadMXBean().getThreadInfo(thread.getId());
          if (info != null && info.getLockOwnerId() == Thread.currentThread().getId()) {
            return work.get();
          }
          boolean waits = info != null && info.getLockInfo() != null;
          blocked = waits ? blocked + TimeUnit.MILLISECONDS.toNanos(millis) : 0;
          millis = Math.min(2 * millis, LOOK_MILLIS_MAX);
        } catch (ExecutionException failed) {
          throw DeepStack.unchecked(failed.getCause());
        }
      }
      throw new BlockedException();
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Another thread holds what the work needs. */
  static final class BlockedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private BlockedException() {
      super("another thread holds what it needs", null, false, false);
    }
  }
}
