package remora.tomcat.keeper;

import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * A thread for the application's code where no request is at hand. It may block there for as long
 * as it likes: nothing else waits for it.
 */
final class ApplicationThread implements Executor {

  private static final Log log = LogFactory.getLog(ApplicationThread.class);

  /** A thread that has nothing to do for so long ends; seconds. */
  private static final long IDLE_SECONDS = 10;

  /** An idle thread ends at once; one that runs the application's code is not waited for. */
  private static final long STOP_MILLIS_MAX = 50;

  private final ThreadPoolExecutor thread;

  /**
   * A thread of one application.
   *
   * @param name what it is called
   * @param loader the application's class loader, which its code expects around it
   */
  ApplicationThread(String name, ClassLoader loader) {
    this(name, loader, 1);
  }

  /**
   * Several threads of one application, so that work which blocks does not put off the rest.
   *
   * @param name what they are called
   * @param loader as above
   * @param threads how many there may be
   */
  ApplicationThread(String name, ClassLoader loader, int threads) {
    thread =
        new ThreadPoolExecutor(
            threads,
            threads,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            work -> {
              Thread made = new Thread(work, name);
              made.setDaemon(true);
              made.setContextClassLoader(loader);
              return made;
            });
    thread.allowCoreThreadTimeOut(true);
  }

  @Override
  public void execute(Runnable work) {
    try {
      thread.execute(
          () -> {
            try {
              work.run();
            } catch (RuntimeException | Error broken) {
              log.error("The application's code failed outside a request", broken);
            }
          });
    } catch (RejectedExecutionException stopping) {
      log.debug("The application stops; its sessions live on elsewhere", stopping);
    }
  }

  /** Ends after what waits; an idle thread is gone by then, as who looks for leaks expects. */
  void stop() {
    thread.shutdown();
    try {
      thread.awaitTermination(STOP_MILLIS_MAX, TimeUnit.MILLISECONDS);
    } catch (InterruptedException stopping) {
      Thread.currentThread().interrupt();
    }
  }
}
