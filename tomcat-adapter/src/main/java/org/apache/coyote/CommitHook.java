package org.apache.coyote;

import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Stands before the protocol's own hook on a response, so that nothing leaves before a guard has
 * agreed: neither the head (COMMIT), nor a flush (CLIENT_FLUSH), nor the end (CLOSE). Everything
 * that sends headers passes here: redirects, flushes, error pages, asynchronous completion.
 *
 * <p>Lies in Tomcat's package because {@code Response.hook} is visible there only.
 *
 * <p>Where the guard says no before the head has left, the head is replaced by an empty 503 without
 * a cookie, and whatever body follows is dropped. Where the head has left, the connection (with
 * HTTP/2, the stream) is cut.
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
  }

  /** Under which coyote attribute a request carries its hook. */
  private static final String ATTRIBUTE = "remora.CommitHook";

  /** By name, because the oldest Tomcats do not have it. */
  private static final String EARLY_HINTS = "EARLY_HINTS";

  private static final int SWITCHING_PROTOCOLS = 101;

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

  private CommitHook(Request request, Response response, Guard guard) {
    this.request = request;
    this.response = response;
    this.next = response.hook;
    this.output = response.outputBuffer;
    this.guard = guard;
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
    if (request.getAttribute(ATTRIBUTE) != this) {
      takeOff();
      next.action(code, parameter);
      return;
    }
    switch (code) {
      case COMMIT:
      case CLIENT_FLUSH:
        ask();
        if (cutOff) {
          return;
        }
        break;
      case CLOSE:
        ask();
        if (!cutOff) {
          next.action(code, parameter); // with HTTP/2 it would end a cut answer like a whole one
        }
        takeOff();
        return;
      default:
        if (EARLY_HINTS.equals(code.name())) {
          ask(); // hints are headers, and headers may name a session
          if (refused) {
            return;
          }
        }
        break;
    }
    next.action(code, parameter);
  }

  /**
   * Asks the guard now, as at COMMIT, and sends the refusal if it says no. For the end of the
   * pipeline, before valves further out put their own answer in its place.
   */
  public void askNow() {
    ask();
    if (refused && !response.isCommitted()) {
      response.action(ActionCode.COMMIT, null);
    }
  }

  private void ask() {
    if (refused) {
      return;
    }
    boolean committed = response.isCommitted();
    if (!guard.mayProceed(committed)) {
      if (committed || response.isCommitted()) {
        cut();
      } else {
        refuse();
      }
    }
  }

  private void refuse() {
    if (response.getStatus() == SWITCHING_PROTOCOLS || hasWriteListener()) {
      cut(); // the protocol has changed hands, or reset would strand the listener
      return;
    }
    refused = true;
    response.reset();
    response.setStatus(SERVICE_UNAVAILABLE);
    response.setContentLength(0);
    response.setHeader("Retry-After", RETRY_AFTER_SECONDS);
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Remora-Effect", guard.effect());
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

  private boolean hasWriteListener() {
    try {
      Field listener = Response.class.getDeclaredField("listener");
      return listener.get(response) != null;
    } catch (ReflectiveOperationException | RuntimeException otherTomcat) {
      return false;
    }
  }

  /** Restores the processor's own hook and output. */
  public void takeOff() {
    if (response.hook == this) {
      response.hook = next;
    }
    if (response.outputBuffer == gate) {
      response.setOutputBuffer(output);
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
      if (request.getAttribute(ATTRIBUTE) != CommitHook.this) {
        takeOff(); // the request broke off, and the response serves another one by now
        return output.doWrite(chunk);
      }
      if (!response.isCommitted()) {
        response.action(ActionCode.COMMIT, null);
      } else if (guard.owesSave()) {
        ask(); // what the chunk says may be what is not stored yet
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
