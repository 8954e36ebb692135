package org.apache.coyote;

import java.io.IOException;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Stands before the protocol's own hook on a response, so that nothing leaves before a guard has
 * agreed: neither the head (COMMIT), nor a flush (CLIENT_FLUSH), nor the end (CLOSE). Everything
 * that sends headers passes here: redirects, flushes, error pages, asynchronous completion.
 *
 * <p>Lies in Tomcat's package because {@code Response.hook} is visible there only.
 *
 * <p>What becomes of an answer to which the guard says no is decided by {@link Fate}. Before the
 * head has left, it is replaced by an empty 503 without a cookie, and whatever body follows is
 * dropped; or, where the fault is the application's own, the page fails with it, so that its error
 * page tells; a fault with a status of its own has the error page of that, and is an empty answer
 * to a page that flushes. Where the head has left, the connection (with HTTP/2, the stream) is cut.
 *
 * <p>Invariant: a hook serves one request. The processor and its response are used again for the
 * next one, so the hook takes itself off at CLOSE and stands aside when it meets a request that is
 * not its own, which it knows by an attribute that Tomcat clears between requests.
 */
public final class CommitHook implements ActionHook {

  /** What decides whether the response may go on. */
  public interface Guard {

    /**
     * Asked before anything leaves. Blocks until it knows; throws nothing.
     *
     * @param committed whether the head has left already
     * @return whether the response may go on as it is
     */
    boolean mayProceed(boolean committed);

    /**
     * Whether something is known to be unsaved. Asked before each chunk of a body, so cheap: what
     * only a comparison would show waits for the next flush or the end.
     *
     * @return whether the guard must be asked before the chunk leaves
     */
    boolean owesSave();

    /**
     * What may have happened on this side when the head was replaced.
     *
     * @return value of the header Remora-Effect
     */
    String effect();

    /**
     * Asked after a no: the fault, if it is one of the application's own that will come back
     * however often the request is sent. It counts as told then: the guard judges what else the
     * request did, and so lets the error page pass.
     *
     * @return null if the store is to blame
     */
    default RuntimeException takeFault() {
      return null;
    }

    /**
     * Which status tells a fault of {@link #takeFault}.
     *
     * @param fault what was taken
     * @return the status of the error page, 400 or above
     */
    default int status(RuntimeException fault) {
      return SERVER_ERROR;
    }

    /**
     * The connection changes protocols with this answer, as for a WebSocket.
     *
     * @param token Tomcat's {@link UpgradeToken}, which knows who takes over
     */
    default void upgraded(Object token) {}

    /** The response is whole, or was cut: nothing is asked any more. Told once. */
    default void ended() {}
  }

  /** What the guard said. */
  enum Word {
    /** All is stored. */
    STORED,
    /** Something is not, and may be if it is tried again. */
    UNSTORED,
    /** Something cannot be stored, which is the application's fault. */
    FAULT
  }

  /** What becomes of an answer. */
  enum Fate {
    /** It goes on as it is. */
    PASS,
    /** Its head becomes an empty 503 that asks to come again. */
    UNAVAILABLE,
    /** The page fails with the fault, and the application's error page answers. */
    RAISE,
    /** Its head becomes an empty answer of the fault's status: no page is left to fail. */
    ERROR,
    /** The connection ends. */
    CUT;

    /**
     * Decides.
     *
     * @param word what the guard said
     * @param headLeft whether the head has left
     * @param replaceable whether Tomcat can still send another head
     * @param pageRuns whether this thread runs a page, or what Tomcat wraps around one
     * @return the fate
     */
    static Fate of(Word word, boolean headLeft, boolean replaceable, boolean pageRuns) {
      if (word == Word.STORED) {
        return PASS;
      }
      if (headLeft || !replaceable) {
        return CUT;
      }
      if (word == Word.UNSTORED) {
        return UNAVAILABLE;
      }
      return pageRuns ? RAISE : ERROR;
    }
  }

  /** Under which coyote attribute a request carries its hook. */
  private static final String ATTRIBUTE = "remora.CommitHook";

  /** Null where Tomcat does not have it yet. */
  private static final ActionCode EARLY_HINTS = earlyHints();

  /** Its type differs between Tomcat 9 and 10, so it cannot be named. */
  private static final MethodHandle WRITE_LISTENER = writeListener();

  private static final int SWITCHING_PROTOCOLS = 101;

  /** What tells a fault of the application unless its guard says another status. */
  public static final int SERVER_ERROR = 500;

  private static final int SERVICE_UNAVAILABLE = 503;

  /** An election takes less than a second. */
  private static final String RETRY_AFTER_SECONDS = "1";

  private static final String SENDFILE = "org.apache.tomcat.sendfile.filename";

  private final Request request;
  private final Response response;
  private final ActionHook next;
  private final Guard guard;
  private final OutputBuffer output;
  private final Gate gate = new Gate();
  private boolean refused;
  private boolean cutOff;
  private boolean off;
  private boolean pageIsBack;
  private RuntimeException fault;
  private volatile Thread page;

  private CommitHook(Request request, Response response, Guard guard) {
    this.request = request;
    this.response = response;
    this.next = response.hook;
    this.output = response.outputBuffer;
    this.guard = guard;
  }

  private static ActionCode earlyHints() {
    for (ActionCode code : ActionCode.values()) {
      if ("EARLY_HINTS".equals(code.name())) {
        return code;
      }
    }
    return null;
  }

  private static MethodHandle writeListener() {
    try {
      return MethodHandles.lookup()
          .unreflectGetter(Response.class.getDeclaredField("listener"))
          .asType(MethodType.methodType(Object.class, Response.class));
    } catch (ReflectiveOperationException otherTomcat) {
      throw new IllegalStateException("this Tomcat keeps write listeners elsewhere", otherTomcat);
    }
  }

  /**
   * Puts a hook before a response, unless this request has one.
   *
   * @param request the request
   * @param response its response
   * @param guard asked before anything leaves
   * @return the hook
   */
  public static CommitHook install(Request request, Response response, Guard guard) {
    ActionHook current = response.hook;
    if (current instanceof CommitHook) {
      ((CommitHook) current).takeOff(); // left by a request that broke off
    }
    CommitHook hook = new CommitHook(request, response, guard);
    response.hook = hook;
    response.setOutputBuffer(hook.gate);
    request.setAttribute(ATTRIBUTE, hook);
    return hook;
  }

  /**
   * The hook of a request.
   *
   * @param request a request
   * @return its hook, or null
   */
  public static CommitHook of(Request request) {
    Object hook = request.getAttribute(ATTRIBUTE);
    return hook instanceof CommitHook ? (CommitHook) hook : null;
  }

  /**
   * Who is asked.
   *
   * @return the guard
   */
  public Guard guard() {
    return guard;
  }

  @Override
  public void action(ActionCode code, Object parameter) {
    if (!letsLeave(code) || isStranger()) {
      next.action(code, parameter);
      return;
    }
    switch (code) {
      case COMMIT:
      case CLIENT_FLUSH:
        ask(runsPage());
        if (cutOff) {
          return;
        }
        tellUpgrade(code);
        break;
      case CLOSE:
        ask(false);
        if (!cutOff) {
          next.action(code, parameter); // with HTTP/2 it would end a cut answer like a whole one
        }
        takeOff();
        return;
      default:
        ask(runsPage()); // hints are headers, and headers may name a session
        if (refused) {
          return;
        }
        break;
    }
    next.action(code, parameter);
  }

  /** Whether its own request broke off, and the response serves another one by now. */
  private boolean isStranger() {
    boolean stranger = request.getAttribute(ATTRIBUTE) != this;
    if (stranger) {
      takeOff();
    }
    return stranger;
  }

  /** Most codes only ask Tomcat something. */
  private static boolean letsLeave(ActionCode code) {
    return code == ActionCode.COMMIT
        || code == ActionCode.CLIENT_FLUSH
        || code == ActionCode.CLOSE
        || code == EARLY_HINTS;
  }

  /** By then Tomcat has handed the connection over, and nobody has used it yet. */
  private void tellUpgrade(ActionCode code) {
    if (code == ActionCode.COMMIT
        && response.getStatus() == SWITCHING_PROTOCOLS
        && next instanceof Processor) {
      guard.upgraded(((Processor) next).getUpgradeToken());
    }
  }

  /** From here on this thread runs a page, which may fail with a fault of its own. */
  public void pageBegins() {
    page = Thread.currentThread();
  }

  /** No page is left that could fail. */
  public void pageEnded() {
    page = null;
  }

  private boolean runsPage() {
    return page == Thread.currentThread();
  }

  /**
   * Asks the guard now, as at COMMIT, and sends the refusal if it says no. For the end of the
   * pipeline, before valves further out put their own answer in its place.
   *
   * @return a fault that an error page has not told yet, while a page runs; null if nothing is left
   *     to do
   */
  public RuntimeException askNow() {
    boolean pageRuns = runsPage();
    pageIsBack = true;
    try {
      ask(pageRuns);
    } catch (RuntimeException raised) {
      if (raised != fault) {
        throw raised;
      }
    }
    if (pageRuns && fault != null && !response.isCommitted()) {
      return fault; // what it wrote before is still in the buffer
    }
    if (refused && !response.isCommitted()) {
      response.action(ActionCode.COMMIT, null);
    }
    return null;
  }

  private void ask(boolean pageRuns) {
    if (refused) {
      return;
    }
    boolean committed = response.isCommitted();
    Word word = word(committed);
    switch (Fate.of(word, committed || response.isCommitted(), isReplaceable(), pageRuns)) {
      case UNAVAILABLE:
        replaceHead(SERVICE_UNAVAILABLE);
        response.setHeader("Retry-After", RETRY_AFTER_SECONDS);
        response.setHeader("Remora-Effect", guard.effect());
        break;
      case ERROR:
        replaceHead(guard.status(fault));
        break;
      case RAISE:
        if (!pageIsBack && guard.status(fault) != SERVER_ERROR) {
          replaceHead(guard.status(fault)); // thrown at the page, it would become a 500
          break;
        }
        response.getMimeHeaders().removeHeader("Set-Cookie"); // it may name what is not stored
        throw fault;
      case CUT:
        cut();
        break;
      default:
        break;
    }
  }

  /** A page that swallows its fault and goes on is asked for an error page all the same. */
  private Word word(boolean committed) {
    if (fault != null && response.getStatus() < guard.status(fault)) {
      return Word.FAULT;
    }
    if (guard.mayProceed(committed)) {
      return Word.STORED;
    }
    fault = guard.takeFault();
    return fault == null ? Word.UNSTORED : Word.FAULT;
  }

  /** Not where the protocol has changed hands, or a reset would strand a write listener. */
  private boolean isReplaceable() {
    try {
      return response.getStatus() != SWITCHING_PROTOCOLS
          && (Object) WRITE_LISTENER.invokeExact(response) == null;
    } catch (Throwable impossible) {
      throw new IllegalStateException("reading a field must not fail", impossible);
    }
  }

  private void replaceHead(int status) {
    refused = true;
    response.reset();
    response.setStatus(status);
    response.setContentLength(0);
    response.setHeader("Cache-Control", "no-store");
    Map<String, Object> attributes = request.getAttributes();
    attributes.remove(SENDFILE);
  }

  private void cut() {
    refused = true;
    cutOff = true;
    breakStreamAtItsEnd();
    next.action(ActionCode.CLOSE_NOW, null);
    response.setCommitted(true); // so that closing does not send the head after all
  }

  /**
   * The HTTP/2 processor closes the stream by itself in the end, whatever happened to it. The
   * exception by which Tomcat itself has a stream reset stops it before it says that the answer is
   * whole, and trailers are the last that it asks for.
   */
  private void breakStreamAtItsEnd() {
    if (request.protocol().toString().startsWith("HTTP/2")) {
      response.setTrailerFields(
          () -> CommitHook.<RuntimeException>sneak(new CloseNowException("the answer was cut")));
    }
  }

  @SuppressWarnings("unchecked")
  private static <E extends Exception> Map<String, String> sneak(Exception exception) throws E {
    throw (E) exception;
  }

  /** Restores the processor's own hook and output. */
  public void takeOff() {
    if (response.hook == this) {
      response.hook = next;
    }
    if (response.outputBuffer == gate) {
      response.setOutputBuffer(output);
    }
    if (!off) {
      off = true;
      guard.ended();
    }
  }

  /**
   * Stands before the protocol's own output for as long as the hook stands before its actions. Asks
   * before the first chunk, which protocols take in before they commit, and before chunks that
   * follow a change; swallows the body that an application writes under a head that is not its own.
   */
  private final class Gate implements OutputBuffer {

    @Override
    public int doWrite(ByteBuffer chunk) throws IOException {
      if (isStranger()) {
        return output.doWrite(chunk);
      }
      if (!response.isCommitted()) {
        response.action(ActionCode.COMMIT, null);
      } else if (guard.owesSave()) {
        ask(runsPage()); // what the chunk says may be what is not stored yet
      }
      if (!refused) {
        return output.doWrite(chunk);
      }
      int swallowed = chunk.remaining();
      chunk.position(chunk.limit());
      return swallowed;
    }

    @Override
    public long getBytesWritten() {
      return output.getBytesWritten();
    }
  }
}
