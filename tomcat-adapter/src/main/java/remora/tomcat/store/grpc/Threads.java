package remora.tomcat.store.grpc;

import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Makes the client's threads: daemons named {@code remora-store-...} whose context class loader is
 * the jar's own, so that no web application is kept alive by a thread that outlives it.
 */
final class Threads implements ThreadFactory {

  private final String name;
  private final AtomicInteger made = new AtomicInteger();

  Threads(String name) {
    this.name = "remora-store-" + name;
  }

  @Override
  public Thread newThread(Runnable work) {
    int number = made.getAndIncrement();
    Thread thread = new Thread(work, number == 0 ? name : name + "-" + number);
    thread.setDaemon(true);
    thread.setContextClassLoader(Threads.class.getClassLoader());
    return thread;
  }
}
