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

  private final ThreadPoolExecutor thread;

  /**
   * A thread of one application.
   *
   * @param name what it is called
   * @param loader the application's class loader, which its code expects around it
   */
  ApplicationThread(String name, ClassLoader loader) {
    thread =
        new ThreadPoolExecutor(
            1,
            1,
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

  void stop() {
    thread.shutdown();
  }
}
