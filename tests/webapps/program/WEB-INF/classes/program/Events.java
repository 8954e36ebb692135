package program;

import jakarta.servlet.http.HttpSession;
import jakarta.servlet.http.HttpSessionAttributeListener;
import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionIdListener;
import jakarta.servlet.http.HttpSessionListener;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * All listeners of the application. What they hear on a request's thread stands in its answer where it happened; what they
 * hear elsewhere is kept for whoever asks for the scenario's remains.
 */
public final class Events
    implements HttpSessionListener, HttpSessionAttributeListener, HttpSessionIdListener {

  private static final ThreadLocal<Run> RUNNING = new ThreadLocal<>();

  /** Session id to scenario, for events on threads of the container. */
  private static final Map<String, String> SCENARIOS = new ConcurrentHashMap<>();

  private static final Map<String, List<String>> REMAINS = new ConcurrentHashMap<>();

  static void enter(Run run) {
    RUNNING.set(run);
  }

  static void leave() {
    RUNNING.remove();
  }

  static void belongs(HttpSession session, String scenario) {
    SCENARIOS.put(session.getId(), scenario);
  }

  static String remains(String scenario) {
    return String.join("\n", REMAINS.getOrDefault(scenario, List.of()));
  }

  static void note(HttpSession session, String event) {
    Run run = RUNNING.get();
    if (run != null) {
      run.say("  * " + event);
      return;
    }
    String scenario = SCENARIOS.get(session.getId());
    if (scenario != null) {
      REMAINS.computeIfAbsent(scenario, absent -> new CopyOnWriteArrayList<>()).add(event);
    }
  }

  @Override
  public void sessionCreated(HttpSessionEvent event) {
    note(event.getSession(), "created");
    react("created", event.getSession());
  }

  @Override
  public void sessionDestroyed(HttpSessionEvent event) {
    note(event.getSession(), "destroyed, holding " + Operations.names(event.getSession()));
    react("destroyed", event.getSession());
  }

  @Override
  public void sessionIdChanged(HttpSessionEvent event, String old) {
    note(event.getSession(), "id changed from " + old + " to " + event.getSession().getId());
    react("id-changed", event.getSession());
  }

  @Override
  public void attributeAdded(HttpSessionBindingEvent event) {
    attribute("added", event);
  }

  @Override
  public void attributeRemoved(HttpSessionBindingEvent event) {
    attribute("removed", event);
  }

  @Override
  public void attributeReplaced(HttpSessionBindingEvent event) {
    attribute("replaced", event);
  }

  private static void attribute(String what, HttpSessionBindingEvent event) {
    String name = Shown.printable(event.getName());
    note(event.getSession(), what + ' ' + name + ' ' + Shown.of(event.getValue()));
    if (!event.getName().startsWith("by-listener")) {
      react(what, event.getSession());
    }
  }

  /** Does what the program asked listeners to do. */
  private static void react(String what, HttpSession session) {
    Run run = RUNNING.get();
    if (run == null || !what.equals(run.reactTo)) {
      return;
    }
    switch (run.reaction) {
      case "set":
        session.setAttribute("by-listener", "at " + what);
        break;
      case "throw":
        throw new IllegalStateException("asked to fail");
      case "limit":
        session.setMaxInactiveInterval(77);
        break;
      case "invalidate":
        session.invalidate();
        break;
      default:
        throw new Misspelled("no reaction is called " + run.reaction);
    }
  }
}
