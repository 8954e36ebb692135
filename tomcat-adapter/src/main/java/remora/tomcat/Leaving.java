package remora.tomcat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import org.apache.catalina.Container;
import org.apache.catalina.Engine;
import org.apache.catalina.Lifecycle;
import org.apache.catalina.LifecycleEvent;
import org.apache.catalina.LifecycleListener;
import org.apache.catalina.Server;
import org.apache.catalina.Service;

/**
 * Says to the store that this Tomcat leaves, when its Server is about to stop and its connectors
 * still answer, and lets the requests at hand end before they pause. One for all managers of a
 * Server, with one deadline; where no store node leads, nobody is waited for.
 */
final class Leaving implements LifecycleListener {

  /**
   * How long a Server's stop waits, in nanoseconds: most requests are shorter, and so is a word.
   */
  private static final long WAITS_NANOS_MAX = 500_000_000L;

  /** How often it is looked whether requests are at hand, in nanoseconds. */
  private static final long LOOKS_NANOS = 2_000_000L;

  private static final Map<Server, Leaving> listening = new HashMap<>();

  private final Set<Presence> managers = new HashSet<>();

  private Leaving() {}

  /**
   * A manager begins; the first of a Server makes a listener.
   *
   * @param manager what the manager says of itself
   * @param context its application
   */
  static void enter(Presence manager, Container context) {
    Server server = server(context);
    synchronized (listening) {
      if (server != null) {
        Leaving leaving = listening.get(server);
        if (leaving == null) {
          leaving = new Leaving();
          listening.put(server, leaving);
          server.addLifecycleListener(leaving);
        }
        leaving.managers.add(manager);
      }
    }
  }

  /**
   * A manager has stopped; with the last of a Server its listener goes.
   *
   * @param manager as given to {@link #enter}
   * @param context its application
   */
  static void leave(Presence manager, Container context) {
    Server server = server(context);
    synchronized (listening) {
      Leaving leaving = listening.get(server);
      if (leaving != null && leaving.managers.remove(manager) && leaving.managers.isEmpty()) {
        listening.remove(server);
        server.removeLifecycleListener(leaving);
      }
    }
  }

  private static Server server(Container context) {
    Container container = context;
    while (container != null && !(container instanceof Engine)) {
      container = container.getParent();
    }
    Service service = container == null ? null : ((Engine) container).getService();
    return service == null ? null : service.getServer();
  }

  @Override
  public void lifecycleEvent(LifecycleEvent event) {
    if (Lifecycle.BEFORE_STOP_EVENT.equals(event.getType())) {
      leave(System.nanoTime() + WAITS_NANOS_MAX);
    }
  }

  /**
   * Leaves.
   *
   * @param deadlineNanos until when it may wait; monotonic
   */
  void leave(long deadlineNanos) {
    Set<Presence> present;
    synchronized (listening) {
      present = new HashSet<>(managers);
    }
    boolean heard = false;
    for (Presence manager : present) {
      heard |= manager.leaves(deadlineNanos);
    }
    if (heard) {
      awaitRequests(present, deadlineNanos);
    }
  }

  private static void awaitRequests(Set<Presence> present, long deadlineNanos) {
    while (present.stream().anyMatch(Presence::isBusy) && deadlineNanos - System.nanoTime() > 0) {
      LockSupport.parkNanos(LOOKS_NANOS);
    }
  }
}
