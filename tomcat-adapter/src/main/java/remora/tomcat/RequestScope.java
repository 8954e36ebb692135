package remora.tomcat;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.apache.catalina.Session;
import org.apache.catalina.connector.Request;
import org.apache.coyote.CommitHook;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;

/**
 * One request: which sessions it touched, whether the store failed it, and the decision whether its
 * response may leave. Lives from the Host valve to the end of the response, across asynchronous
 * dispatches; the thread that runs the request finds it by {@link #current()}.
 */
final class RequestScope implements CommitHook.Guard {

  private static final Log log = LogFactory.getLog(RequestScope.class);

  private static final ThreadLocal<RequestScope> CURRENT = new ThreadLocal<>();

  /** Tomcat keeps the request's session there; an application thread may have put it in unseen. */
  private static final Field SESSION = sessionField();

  private final Request request;
  private final long startedNanos = System.nanoTime();
  private final Map<RemoraSession, Integer> failuresSeen = new IdentityHashMap<>(2);
  private RuntimeException failure;
  private boolean reported;
  private volatile boolean applicationRan;
  private volatile boolean finished;

  RequestScope(Request request) {
    this.request = request;
  }

  private static Field sessionField() {
    try {
      Field field = Request.class.getDeclaredField("session");
      field.setAccessible(true);
      return field;
    } catch (ReflectiveOperationException | RuntimeException otherTomcat) {
      log.info("Sessions that only application threads of asynchronous requests touch are unseen");
      return null;
    }
  }

  /**
   * The request that this thread runs.
   *
   * @return null outside requests
   */
  static RequestScope current() {
    return CURRENT.get();
  }

  /**
   * Makes this thread run the request.
   *
   * @return what it ran before, for {@link #leave}
   */
  RequestScope enter() {
    RequestScope before = CURRENT.get();
    CURRENT.set(this);
    return before;
  }

  /**
   * Ends what {@link #enter} began.
   *
   * @param before what {@link #enter} returned
   */
  static void leave(RequestScope before) {
    if (before == null) {
      CURRENT.remove();
    } else {
      CURRENT.set(before);
    }
  }

  /**
   * Remembers that the request may have seen a session.
   *
   * @param session the session
   */
  synchronized void touch(RemoraSession session) {
    failuresSeen.putIfAbsent(session, session.flights.failures());
  }

  /**
   * Remembers that the store failed the request: whatever the application makes of it, the answer
   * must not look like a success.
   *
   * @param cause what happened
   */
  synchronized void fail(RuntimeException cause) {
    if (failure == null) {
      failure = cause;
    }
  }

  synchronized boolean hasFailed() {
    return failure != null;
  }

  /** From here on the application may have done anything. */
  void applicationRuns() {
    applicationRan = true;
  }

  /** The application has come back and everything is settled: nothing changes any more. */
  void finish() {
    finished = true;
  }

  @Override
  public String effect() {
    return applicationRan ? "certain" : "none";
  }

  @Override
  public synchronized boolean owesSave() {
    if (finished) {
      return false;
    }
    for (RemoraSession session : failuresSeen.keySet()) {
      if (session.hasMarks()) {
        return true;
      }
    }
    return failure != null;
  }

  @Override
  public boolean mayProceed(boolean committed) {
    if (finished) {
      return true;
    }
    try {
      if (!hasFailed()) {
        for (Map.Entry<RemoraSession, Integer> seen : touched()) {
          settle(seen.getKey(), seen.getValue());
        }
      }
    } catch (RuntimeException notStored) {
      fail(notStored);
    } catch (Error broken) {
      // An application's writeObject may throw it. Passed on, Tomcat would end the response without
      // asking again.
      fail(new SaveFailedException("the session could not be saved: " + broken, broken));
    }
    return !report();
  }

  private void settle(RemoraSession session, int failures) {
    SessionServices services = session.services();
    if (!services.saver().settle(session, failures, startedNanos)
        && !services.copies().confirm(session, services.ticker().pausedSince(startedNanos))) {
      throw new SaveFailedException("the session went elsewhere while this Tomcat stood still");
    }
  }

  private synchronized List<Map.Entry<RemoraSession, Integer>> touched() {
    RemoraSession own = sessionOfRequest();
    if (own != null) {
      touch(own);
    }
    return new ArrayList<>(failuresSeen.entrySet());
  }

  private RemoraSession sessionOfRequest() {
    try {
      Session session = SESSION == null ? null : (Session) SESSION.get(request);
      return session instanceof RemoraSession ? (RemoraSession) session : null;
    } catch (IllegalAccessException impossible) {
      throw new IllegalStateException("a field made accessible must stay so", impossible);
    }
  }

  @Override
  public synchronized RuntimeException takeFault() {
    RuntimeException fault = failure;
    if (!(fault instanceof PermanentSaveFailure)) {
      return null;
    }
    failure = null;
    finished = true; // the flight that met the fault gave up all that the request changed
    return fault;
  }

  private synchronized boolean report() {
    if (failure == null) {
      return false;
    }
    if (!reported && !(failure instanceof PermanentSaveFailure)) {
      reported = true;
      FailureLog.write(request.getMethod(), request.getDecodedRequestURI(), failure.getMessage());
    }
    return true;
  }
}
