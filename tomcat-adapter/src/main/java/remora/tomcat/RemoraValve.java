package remora.tomcat;

import java.io.IOException;
import org.apache.catalina.Context;
import org.apache.catalina.Manager;
import org.apache.catalina.Session;
import org.apache.catalina.connector.Request;
import org.apache.catalina.connector.Response;
import org.apache.catalina.valves.ValveBase;
import org.apache.coyote.CommitHook;

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

  /** Makes a valve that serves asynchronous requests too. */
  public RemoraValve() {
    super(true);
  }

  @Override
  public void invoke(Request request, Response response) throws IOException {
    RemoraManager manager = managerOf(request);
    if (manager == null) {
      next(request, response);
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
    RequestScope before = scope.enter();
    try {
      if (!first || begin(manager, request, scope)) {
        scope.applicationRuns();
        next(request, response);
      }
    } finally {
      try {
        if (!request.isAsync()) {
          hook.askNow();
          scope.finish();
        }
      } finally {
        RequestScope.leave(before);
      }
    }
  }

  private static RemoraManager managerOf(Request request) {
    Context context = request.getContext();
    Manager manager = context == null ? null : context.getManager();
    return manager instanceof RemoraManager ? (RemoraManager) manager : null;
  }

  /** Looks the session up before anything of the application runs, as authenticators do anyway. */
  private static boolean begin(RemoraManager manager, Request request, RequestScope scope) {
    String asked = request.getRequestedSessionId();
    if (asked == null) {
      return true;
    }
    try {
      Session session = request.getSessionInternal(false);
      if (session != null && isAnother(session.getIdInternal(), asked, manager.getJvmRoute())) {
        request.changeSessionId(session.getIdInternal());
      }
      return true;
    } catch (RuntimeException noAnswer) {
      scope.fail(noAnswer);
      return false;
    }
  }

  /** By its route after a failover; by all of it where a change of the id was finished only now. */
  private static boolean isAnother(String id, String asked, String route) {
    return route == null ? !SessionIds.bare(id).equals(SessionIds.bare(asked)) : !id.equals(asked);
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
