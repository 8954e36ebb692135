package remora.tomcat;

import java.lang.reflect.Field;
import org.apache.catalina.Context;
import org.apache.catalina.Manager;
import org.apache.catalina.Session;
import org.apache.catalina.connector.Request;
import org.apache.coyote.CommitHook;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Witness;
import remora.tomcat.keeper.Held;
import remora.tomcat.keeper.Keeper;
import remora.tomcat.keeper.PermanentFaultException;
import remora.tomcat.keeper.SaveFailedException;
import remora.tomcat.keeper.SessionIds;
import remora.tomcat.keeper.SessionLimitException;
import remora.tomcat.keeper.Visit;

/**
 * One request: which sessions it touched, whether the store failed it, and the decision whether its
 * response may leave. Lives from the Host valve to the end of the response, across asynchronous
 * dispatches; the thread that runs the request finds it by {@link #current()}.
 */
final class RequestScope implements CommitHook.Guard {

  private static final Log log = LogFactory.getLog(RequestScope.class);

  private static final ThreadLocal<RequestScope> CURRENT = new ThreadLocal<>();

  /** A login that is not allowed now; a 503 would have it sent again, a 401 the password. */
  private static final int FORBIDDEN = 403;

  /** Tomcat keeps the request's session there; an application thread may have put it in unseen. */
  private static final Field SESSION = sessionField();

  private final Request request;
  private final String bareIdAskedFor;
  private final Visit visit = new Visit(System.nanoTime());
  private RuntimeException failure;
  private boolean reported;
  private boolean asked;
  private boolean wentWithout;
  private volatile boolean applicationRan;
  private volatile boolean asynchronous;
  private volatile boolean finished;
  private volatile boolean pageOver;
  private volatile Keeper keeper;
  private Traffic traffic;

  RequestScope(Request request) {
    this.request = request;
    String asked = request.getRequestedSessionId();
    this.bareIdAskedFor = asked == null ? null : SessionIds.bare(asked);
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
    CURRENT.set(before);
  }

  /**
   * What the request has seen of a session.
   *
   * @param held the session
   * @return its witness
   */
  Witness witness(Held held) {
    return visit.of(held);
  }

  /**
   * The request, as sessions know it.
   *
   * @return the visit
   */
  Visit visit() {
    return visit;
  }

  /**
   * Names the manager of the application that the request is for.
   *
   * @param manager whose keeper keeps the sessions
   */
  void servedBy(RemoraManager manager) {
    keeper = manager.keeper();
    if (traffic == null) {
      traffic = manager.traffic();
      traffic.begins();
    }
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

  /**
   * Whether whoever asks for the request's session now can go on without it, so that the store need
   * not be asked. True once at most, for Tomcat's authenticator, which asks without need; whoever
   * asks after it wants an answer.
   *
   * @return true if a session that is not here is none
   */
  boolean goesWithout() {
    boolean first = !asked;
    asked = true;
    wentWithout = first && OpenFiles.isAskedFor(request);
    return wentWithout;
  }

  /**
   * Whether the last who asked was sent on without an answer, and must not begin another session.
   */
  boolean wentWithout() {
    return wentWithout;
  }

  /** From here on the application may have done anything. */
  void applicationRuns() {
    applicationRan = true;
  }

  /**
   * Has the answer name the session as it is called here: by this Tomcat's route after a failover,
   * by its new id where a change of it was finished only now.
   *
   * @param id the session's id
   * @param asked the id that was asked for
   * @param route this Tomcat's route, or null
   */
  void found(String id, String asked, String route) {
    boolean another =
        route == null ? !SessionIds.bare(id).equals(SessionIds.bare(asked)) : !id.equals(asked);
    if (another && asked.equals(request.getRequestedSessionId())) {
      request.changeSessionId(id);
    }
  }

  /**
   * Has an answer whose head was dropped name the session all the same, if its id has changed with
   * this request: the session goes on under the new one alone.
   */
  void nameSessionAgain() {
    RemoraSession session = sessionOfRequest();
    Held held = session == null ? null : session.held();
    boolean goesOn = held != null && !held.standing().life().isOver();
    if (goesOn && !SessionIds.bare(session.getId()).equals(bareIdAskedFor)) {
      request.changeSessionId(session.getId());
    }
  }

  /** The page has come back: its thread holds nothing of the application's any more. */
  void pageIsOver() {
    pageOver = true;
  }

  boolean isPageOver() {
    return pageOver;
  }

  /** The request goes on by threads of the application's own. */
  void goesOn() {
    asynchronous = true;
    visit.leave();
  }

  /** The application has come back and everything is settled: nothing changes any more. */
  void finish() {
    finished = true;
    visit.leave();
  }

  @Override
  public String effect() {
    return applicationRan ? "certain" : "none";
  }

  @Override
  public synchronized boolean owesSave() {
    return !finished && (failure != null || keeper != null && keeper.owes(visit));
  }

  @Override
  public boolean mayProceed(boolean committed) {
    if (finished) {
      return true;
    }
    RequestScope before = enter(); // an asynchronous request's threads are the application's own
    try {
      if (!hasFailed()) {
        settle();
      }
    } catch (RuntimeException notStored) {
      fail(notStored);
    } catch (Error broken) {
      // An application's writeObject may throw it. Passed on, Tomcat would end the response without
      // asking again.
      fail(new SaveFailedException("the session could not be saved: " + broken, broken));
    } finally {
      leave(before);
    }
    return !report();
  }

  private void settle() {
    boolean threads = asynchronous || request.isAsync();
    if (threads) {
      RemoraSession own = sessionOfRequest();
      if (own != null && own.held() != null) {
        visit.of(own.held());
      }
    }
    if (keeper != null) {
      keeper.settle(visit, threads);
    }
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
    if (!(fault instanceof PermanentFaultException)) {
      return null;
    }
    failure = null;
    finished = true; // the value at fault is given up; what else changed is saved afterwards
    return fault;
  }

  @Override
  public int status(RuntimeException fault) {
    return fault instanceof SessionLimitException ? FORBIDDEN : CommitHook.SERVER_ERROR;
  }

  @Override
  public void ended() {
    if (traffic != null) {
      traffic.ends();
    }
  }

  @Override
  public void upgraded(Object token) {
    RemoraSession session = sessionOfRequest();
    Held held = session == null ? null : session.held();
    if (held != null && keeper != null) {
      keeper.sockets().opened(held, WebSockets.here().socket(token));
    }
  }

  private String where() {
    Held failed = visit.failed();
    Context context = request.getContext();
    Manager manager = context == null ? null : context.getManager();
    String application =
        manager instanceof RemoraManager ? ((RemoraManager) manager).getApplication() : "?";
    return failed == null ? application : application + ", session " + failed.shortName();
  }

  private String fate() {
    return request.getResponse().isCommitted()
        ? "cut off, its head had left"
        : "answered 503, the session cookie stays as it is";
  }

  private synchronized boolean report() {
    if (failure == null) {
      return false;
    }
    if (!reported && !(failure instanceof PermanentFaultException)) {
      reported = true;
      FailureLog.write(
          request.getMethod(),
          request.getDecodedRequestURI(),
          where(),
          fate(),
          failure.getMessage());
    }
    return true;
  }
}
