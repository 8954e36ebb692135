package remora.tomcat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.catalina.Container;
import org.apache.catalina.Lifecycle;
import org.apache.catalina.LifecycleEvent;
import org.apache.catalina.LifecycleListener;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Server;
import remora.tomcat.store.Farewell;

/**
 * What all managers of a Server do together at two of its steps. When it has started, and its
 * connectors answer, each says what it serves. When it is about to stop, and its connectors still
 * answer, the store hears that this Tomcat leaves and tells the proxies, and the requests at hand
 * end before the connectors pause. All share the deadlines, and every store has been told before
 * any is waited for; where no store node leads, nobody is waited for.
 */
final class ServerSteps implements LifecycleListener {

  /**
   * How long a Server's stop waits for the store's word, in nanoseconds: that waits for the
   * proxies, a second at most.
   */
  private static final long WORD_NANOS_MAX = 1_200_000_000L;

  /**
   * How long it then waits for the requests at hand, in nanoseconds: most are shorter, and Tomcat
   * itself waits for the others when it stops their application.
   */
  private static final long REQUESTS_NANOS_MAX = 500_000_000L;

  /** How often it is looked whether requests are at hand, in nanoseconds. */
  private static final long LOOKS_NANOS = 2_000_000L;

  private static final Map<Server, ServerSteps> listening = new HashMap<>();

  private final Set<Presence> managers = new LinkedHashSet<>();

  private ServerSteps() {}

  /**
   * A manager begins; the first of a Server makes a listener.
   *
   * @param manager what the manager says of itself
   * @param context its application
   */
  static void enter(Presence manager, Container context) {
    Server server = Connectors.server(context);
    synchronized (listening) {
      if (server != null) {
        ServerSteps leaving = listening.get(server);
        if (leaving == null) {
          leaving = new ServerSteps();
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
    Server server = Connectors.server(context);
    synchronized (listening) {
      ServerSteps leaving = listening.get(server);
      if (leaving != null && leaving.managers.remove(manager) && leaving.managers.isEmpty()) {
        listening.remove(server);
        server.removeLifecycleListener(leaving);
      }
    }
  }

  /**
   * Whether an application's Server has started and does not stop, so that its connectors answer.
   *
   * @param context the application
   * @return true, too, where there is no Server to wait for
   */
  static boolean haveStarted(Container context) {
    Server server = Connectors.server(context);
    return server == null || server.getState() == LifecycleState.STARTED;
  }

  /**
   * Has all managers of an application's Server say what they serve.
   *
   * @param context the application
   */
  static void announce(Container context) {
    ServerSteps steps = of(context);
    if (steps != null) {
      steps.present().forEach(Presence::announce);
    }
  }

  /**
   * Leaves, with all managers of an application's Server, before that begins to stop.
   *
   * @param context the application
   */
  static void retire(Container context) {
    ServerSteps steps = of(context);
    if (steps != null) {
      steps.leave(WORD_NANOS_MAX, REQUESTS_NANOS_MAX);
    }
  }

  private static ServerSteps of(Container context) {
    synchronized (listening) {
      return listening.get(Connectors.server(context));
    }
  }

  @Override
  public void lifecycleEvent(LifecycleEvent event) {
    if (Lifecycle.AFTER_START_EVENT.equals(event.getType())) {
      present().forEach(Presence::announce);
    } else if (Lifecycle.BEFORE_STOP_EVENT.equals(event.getType())) {
      leave(WORD_NANOS_MAX, REQUESTS_NANOS_MAX);
    }
  }

  private Set<Presence> present() {
    synchronized (listening) {
      return new LinkedHashSet<>(managers);
    }
  }

  /**
   * Leaves.
   *
   * @param wordNanosMax how long it may wait for the store
   * @param requestsNanosMax how long it may then wait for requests
   */
  void leave(long wordNanosMax, long requestsNanosMax) {
    Set<Presence> present = present();
    long wordDeadline = System.nanoTime() + wordNanosMax;
    List<Farewell> said = new ArrayList<>();
    present.forEach(manager -> said.add(manager.leaves()));
    boolean heard = false;
    for (Farewell farewell : said) {
      heard |= farewell.isHeard(TimeUnit.NANOSECONDS.toMillis(wordDeadline - System.nanoTime()));
    }
    if (heard) {
      awaitRequests(present, System.nanoTime() + requestsNanosMax);
    }
  }

  private static void awaitRequests(Set<Presence> present, long deadlineNanos) {
    while (present.stream().anyMatch(Presence::isBusy) && deadlineNanos - System.nanoTime() > 0) {
      LockSupport.parkNanos(LOOKS_NANOS);
    }
  }
}
