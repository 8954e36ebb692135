package remora.tomcat;

import java.io.IOException;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;
import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Manager;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.CommitHook;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * Stands in the Host's pipeline, before authenticators, so that nothing a request does to a session
 * goes unseen: looks the session up, guards the response ({@link CommitHook}), and settles what is
 * still open when the application has come back.
 *
 * <p>Added by the first {@link RemoraManager} of a Host and removed with the last; not for use in
 * server.xml. Its {@code invoke} declares no servlet exception, which would bind the class to one
 * line of Tomcat; such exceptions pass through unchanged.
 */
public class RemoraValve extends ValveBase {

  private static final Log log = LogFactory.getLog(RemoraValve.class);

  /** Where Tomcat looks for what went wrong; the name begins differently on Tomcat 9 and 10. */
  private static final String ERROR_EXCEPTION = errorException();

  /** Applications that were named already; only used by Tomcat's background thread. */
  private Set<String> unprotected = Collections.emptySet();

  /** Makes a valve that serves asynchronous requests too. */
  public RemoraValve() {
    super(true);
  }

  /** Says once which applications of the Host have a manager of their own, and tells the store. */
  @Override
  public void backgroundProcess() {
    super.backgroundProcess();
    RemoraManager ours = null;
    Set<String> found = new TreeSet<>();
    for (Container child : getContainer().findChildren()) {
      Manager manager = child instanceof Context ? ((Context) child).getManager() : null;
      if (manager instanceof RemoraManager) {
        ours = (RemoraManager) manager;
      } else if (manager != null) {
        String name = ManagerOptions.plainName((Context) child);
        found.add(name);
        if (!unprotected.contains(name)) {
          warn(name, manager);
        }
      }
    }
    if (ours != null && !found.equals(unprotected)) {
      unprotected = found;
      ours.announceUnprotected(getContainer().getName(), found);
    }
  }

  private static void warn(String application, Manager manager) {
    log.warn(
        "The application \""
            + application
            + "\" has a session manager of its own ("
            + manager.getClass().getSimpleName()
            + "): its users lose their sessions with this Tomcat. Take the <Manager> element out of"
            + " its META-INF/context.xml, or give it className=\"remora.tomcat.RemoraManager\".");
  }

  private static String errorException() {
    String request = Request.class.getInterfaces()[0].getName();
    return request.substring(0, request.indexOf(".http.")) + ".error.exception";
  }

  @Override
  public void invoke(Request request, Response response) throws IOException {
    RemoraManager manager = managerOf(request);
    if (manager == null) {
      next(request, response);
      return;
    } else if (manager.observes()) {
      watch(manager.traffic(), request, response);
      return;
    }
    CommitHook hook = CommitHook.of(request.getCoyoteRequest());
    boolean first = hook == null;
    if (first) {
      hook =
          CommitHook.install(
              request.getCoyoteRequest(), response.getCoyoteResponse(), new RequestScope(request));
    }
    RequestScope scope = (RequestScope) hook.guard();
    scope.servedBy(manager);
    RequestScope before = scope.enter();
    manager.traffic().threadEnters();
    hook.pageBegins();
    try {
      if (!first || begin(request, scope)) {
        scope.applicationRuns();
        next(request, response);
      }
    } finally {
      try {
        if (request.isAsync()) {
          scope.goesOn();
        } else {
          scope.pageIsOver();
          settle(hook, request, response);
          scope.finish();
        }
      } finally {
        hook.pageEnded();
        manager.traffic().threadLeaves();
        RequestScope.leave(before);
      }
    }
  }

  /**
   * A request whose sessions are only observed is counted while it has a thread: the answer is
   * Tomcat's own, and nothing of ours hears of its end.
   */
  private void watch(Traffic traffic, Request request, Response response) throws IOException {
    traffic.begins();
    traffic.threadEnters();
    try {
      next(request, response);
    } finally {
      traffic.threadLeaves();
      traffic.ends();
    }
  }

  private void settle(CommitHook hook, Request request, Response response) throws IOException {
    RuntimeException fault = hook.askNow();
    if (fault != null) {
      RequestScope scope = (RequestScope) hook.guard();
      int status = scope.status(fault);
      response.reset();
      if (status == CommitHook.SERVER_ERROR) {
        log.error(request.getMethod() + " " + request.getDecodedRequestURI() + " failed", fault);
        request.setAttribute(ERROR_EXCEPTION, fault);
        response.sendError(status);
      } else {
        scope.nameSessionAgain();
        response.sendError(status, fault.getMessage());
      }
      showErrorPage(request, response);
      hook.pageEnded();
      hook.askNow();
    }
  }

  /**
   * The page has come back, so its fault cannot be thrown at it any more. Tomcat does not run an
   * application for a request that is in error already, it only looks for the error page.
   */
  private void showErrorPage(Request request, Response response) throws IOException {
    if (response.isErrorReportRequired()) {
      next(request, response);
    }
  }

  private static RemoraManager managerOf(Request request) {
    Context context = request.getContext();
    Manager manager = context == null ? null : context.getManager();
    return manager instanceof RemoraManager ? (RemoraManager) manager : null;
  }

  /**
   * Looks the session up before anything of the application runs, as authenticators do anyway: if
   * that fails, nothing has happened, and a proxy may ask another Tomcat. Not for files that
   * anybody may fetch.
   */
  private static boolean begin(Request request, RequestScope scope) {
    if (request.getRequestedSessionId() == null || OpenFiles.isAskedFor(request)) {
      return true;
    }
    try {
      request.getSessionInternal(false);
      return true;
    } catch (RuntimeException noAnswer) {
      scope.fail(noAnswer);
      return false;
    }
  }

  private void next(Request request, Response response) throws IOException {
    try {
      getNext().invoke(request, response);
    } catch (Exception passOn) {
      RemoraValve.<RuntimeException>sneak(passOn);
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Exception> void sneak(Exception exception) throws E {
    throw (E) exception;
  }
}
