package remora.tomcat;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import org.apache.coyote.UpgradeToken;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.keeper.OpenSocket;

/**
 * How Tomcat's WebSockets are closed: from the token that hands a connection over to the session of
 * the protocol that its handler makes of it. That is nobody's interface, and the types differ
 * between Tomcat 9 and 10, so all of it is found by name.
 *
 * <p>Tomcat itself closes a socket only if a user was logged in when it was opened, and only where
 * the session is.
 */
final class WebSockets {

  private static final Log log = LogFactory.getLog(WebSockets.class);

  private static final String HANDLER = "org.apache.tomcat.websocket.server.WsHttpUpgradeHandler";

  /** Looked for once, whatever the number of applications. */
  private static final class OfThisTomcat {
    static final WebSockets FOUND = found();

    private static WebSockets found() {
      WebSockets found = in(WebSockets.class.getClassLoader());
      if (found.lacking != null) {
        log.warn(
            "WebSockets of this Tomcat stay open when their session ends, as it lacks "
                + found.lacking);
      }
      return found;
    }
  }

  private final Class<?> handlerType;
  private final String lacking;
  private Method handler;
  private Field session;
  private Method isOpen;
  private Method close;
  private Method code;
  private Constructor<?> reason;

  /**
   * Those that a handler makes.
   *
   * @param handlerType what takes connections over; null if there are no WebSockets
   */
  WebSockets(Class<?> handlerType) {
    this.handlerType = handlerType;
    String lacks = null;
    try {
      resolve();
    } catch (ReflectiveOperationException | RuntimeException | LinkageError absent) {
      lacks = absent.toString();
    }
    lacking = lacks;
  }

  /**
   * Those of this Tomcat.
   *
   * @return how they are closed
   */
  static WebSockets here() {
    return OfThisTomcat.FOUND;
  }

  /**
   * Those of the Tomcat of a loader.
   *
   * @param loader knows its classes
   * @return how they are closed
   */
  static WebSockets in(ClassLoader loader) {
    try {
      return new WebSockets(Class.forName(HANDLER, false, loader));
    } catch (ClassNotFoundException | LinkageError withoutWebSockets) {
      return new WebSockets(null);
    }
  }

  private void resolve() throws ReflectiveOperationException {
    if (handlerType == null) {
      return;
    }
    ClassLoader loader = handlerType.getClassLoader();
    handler =
        Class.forName(UpgradeToken.class.getName(), false, loader)
            .getMethod("getHttpUpgradeHandler");
    session = handlerType.getDeclaredField("wsSession");
    session.setAccessible(true);
    isOpen = session.getType().getMethod("isOpen");
    for (Method method : session.getType().getMethods()) {
      if ("close".equals(method.getName()) && method.getParameterCount() == 1) {
        close = method;
      }
    }
    Class<?> said = close.getParameterTypes()[0];
    code =
        Class.forName(said.getName() + "$CloseCodes", false, said.getClassLoader())
            .getMethod("getCloseCode", int.class);
    reason = said.getConstructor(code.getReturnType(), String.class);
  }

  /**
   * What this Tomcat lacks.
   *
   * @return null if its WebSockets can be closed, or it has none
   */
  String lacks() {
    return lacking;
  }

  /**
   * The connection that a token hands over.
   *
   * @param token an {@link UpgradeToken}
   * @return null if it is no WebSocket of this Tomcat's, or that cannot be closed
   */
  OpenSocket socket(Object token) {
    try {
      Object takesOver = lacking == null && handler != null ? handler.invoke(token) : null;
      return handlerType != null && handlerType.isInstance(takesOver)
          ? new Socket(takesOver)
          : null;
    } catch (ReflectiveOperationException | RuntimeException unlike) {
      return null;
    }
  }

  /** One of Tomcat's WebSockets. */
  private final class Socket implements OpenSocket {
    private final Object handledBy;

    private Socket(Object handledBy) {
      this.handledBy = handledBy;
    }

    @Override
    public Stage stage() {
      try {
        Object made = session.get(handledBy);
        if (made == null) {
          return Stage.OPENING;
        }
        return (Boolean) isOpen.invoke(made) ? Stage.OPEN : Stage.CLOSED;
      } catch (ReflectiveOperationException impossible) {
        throw new IllegalStateException("a session tells whether it is open", impossible);
      }
    }

    @Override
    public void close(int number, String why) throws Exception {
      Object said = reason.newInstance(code.invoke(null, number), why);
      try {
        close.invoke(session.get(handledBy), said);
      } catch (InvocationTargetException thrown) {
        throw thrown.getCause() instanceof Exception ? (Exception) thrown.getCause() : thrown;
      }
    }
  }
}
