package remora.tomcat;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.catalina.Container;
import org.apache.catalina.LifecycleException;

/**
 * What the managers of this JVM share: the names of their applications, which must differ, and one
 * {@link RemoraValve} per Host. Thread-safe.
 */
final class Installed {

  private static final Set<String> applications = new HashSet<>();
  private static final Map<Container, Installation> valves = new HashMap<>();

  /** One valve and how many managers need it. */
  private static final class Installation {
    private final RemoraValve valve = new RemoraValve();
    private int managers;
  }

  private Installed() {}

  /**
   * Enters a manager: its application's name, and the valve of its Host.
   *
   * @param application as in the store's keys
   * @param host the Host
   * @throws LifecycleException if another manager of this JVM has the same application
   */
  static synchronized void enter(String application, Container host) throws LifecycleException {
    if (!applications.add(application)) {
      throw new LifecycleException(
          "Another session manager of this JVM already serves the application \""
              + application
              + "\". Two managers would take each other's sessions: give one of them its own"
              + " app=\"...\" in its <Manager> element.");
    }
    Installation installation = valves.computeIfAbsent(host, absent -> new Installation());
    if (installation.managers++ == 0) {
      host.getPipeline().addValve(installation.valve);
    }
  }

  /**
   * Takes a manager out.
   *
   * @param application as given to {@link #enter}
   * @param host as given to {@link #enter}
   */
  static synchronized void leave(String application, Container host) {
    applications.remove(application);
    Installation installation = valves.get(host);
    if (installation != null && --installation.managers == 0) {
      valves.remove(host);
      host.getPipeline().removeValve(installation.valve);
    }
  }
}
