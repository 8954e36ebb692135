package remora.tomcat.codec;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;

/**
 * Reads what nests so deep that a request's thread could write it but not read it: reading takes
 * about three and a half times the stack. The caller waits for a thread of the work's own, which
 * ends with it.
 */
final class DeepStack {

  /**
   * Sixteen times the JVM's usual stack, in bytes; only what is used of it takes memory. Sites that
   * give their threads more than a fourth of this by {@code -Xss} are on their own.
   */
  private static final long STACK_BYTES = 16L * 1024 * 1024;

  private DeepStack() {}

  /**
   * Does the work here, or there if this thread's stack is too short.
   *
   * @param work may be begun twice; throws nothing but unchecked
   * @return what it gave
   * @throws StackOverflowError if the deep stack is too short as well
   */
  static <T> T call(Supplier<T> work) {
    try {
      return work.get();
    } catch (StackOverflowError tooShort) {
      return callThere(work);
    }
  }

  private static <T> T callThere(Supplier<T> work) {
    FutureTask<T> task = new FutureTask<>(work::get);
    Thread thread = new Thread(null, task, "remora-deep-value", STACK_BYTES);
    thread.setDaemon(true);
    thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
    thread.start();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException noReasonToStop) {
          interrupted = true;
        }
      }
    } catch (ExecutionException failed) {
      throw unchecked(failed.getCause());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** What a work of this kind has thrown: an error at once, the rest to be thrown on. */
  static RuntimeException unchecked(Throwable thrown) {
    if (thrown instanceof Error) {
      throw (Error) thrown;
    }
    return (RuntimeException) thrown;
  }
}
