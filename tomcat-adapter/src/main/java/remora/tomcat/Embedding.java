package remora.tomcat;

import org.apache.catalina.Lifecycle;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.grpc.GrpcSessionDirectory;

/**
 * What a program asks of the session manager in a Tomcat that it embeds, beside what Tomcat asks.
 * Thread-safe.
 *
 * <p>Tomcat's own steps are enough where its connectors open and pause with its Server. A program
 * that opens them later, or pauses them earlier, as Spring Boot does, says so here.
 */
public final class Embedding {

  private final RemoraManager manager;
  private SessionDirectory sessions;

  /** The manager has begun to stop, and nobody would close what is opened from here on. */
  private boolean stopped;

  /**
   * Speaks for a program. Until its first {@link #announce} nobody complains that no connector
   * answers.
   *
   * @param manager the application's session manager, started or not
   */
  public Embedding(RemoraManager manager) {
    this.manager = manager;
    manager.awaitsProgram = true;
    manager.addLifecycleListener(
        event -> {
          if (Lifecycle.BEFORE_STOP_EVENT.equals(event.getType())) {
            close();
          } else if (Lifecycle.BEFORE_START_EVENT.equals(event.getType())) {
            begin();
          }
        });
  }

  /**
   * The connectors answer by now: has the store's registry hear where. Otherwise it does with the
   * next look of Tomcat's background thread.
   */
  public void announce() {
    manager.awaitsProgram = false;
    if (isRunning()) {
      ServerSteps.announce(manager.getContext());
    }
  }

  /**
   * The connectors are about to pause: takes this Tomcat out of the store's registry, and waits as
   * a Server's stop does for the store's word and for the requests at hand, 1.7 s at most.
   */
  public void retire() {
    if (isRunning()) {
      ServerSteps.retire(manager.getContext());
    }
  }

  /**
   * The application's sessions at all its Tomcats, as the store knows them.
   *
   * @return a view that is good until the manager stops
   * @throws StoreUnavailableException if the manager has not started, or has stopped
   */
  public synchronized SessionDirectory sessions() {
    if (stopped || !isRunning()) {
      throw new StoreUnavailableException("the session manager of this application is not running");
    }
    if (sessions == null) {
      sessions =
          GrpcSessionDirectory.open(
              Connectors.bounded(
                  manager.options.storeOptions(manager.getJvmRoute()), manager.getContext()),
              manager.getApplication());
    }
    return sessions;
  }

  /**
   * By which hash {@link #sessions} knows a session whose id is at hand, as of the current request.
   *
   * @param id with or without a route
   * @return its digits, as {@link SessionDirectory#isHash} knows them
   * @throws StoreUnavailableException if the manager keeps no sessions in the store, or not now
   */
  public String hash(String id) {
    return manager.keeper().key(id).hashText();
  }

  private boolean isRunning() {
    return manager.getState().isAvailable();
  }

  private synchronized void begin() {
    stopped = false;
  }

  private synchronized void close() {
    stopped = true;
    if (sessions != null) {
      sessions.close();
      sessions = null;
    }
  }
}
