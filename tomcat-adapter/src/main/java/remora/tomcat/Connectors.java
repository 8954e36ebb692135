package remora.tomcat;

import java.net.InetAddress;
import java.util.concurrent.Executor;
import org.apache.catalina.Container;
import org.apache.catalina.Engine;
import org.apache.catalina.Server;
import org.apache.catalina.Service;
import org.apache.catalina.connector.Connector;
import org.apache.tomcat.util.threads.ResizableExecutor;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.Hosts;
import remora.tomcat.store.StoreOptions;

/**
 * By which connector of its Service an application is reached: the first that speaks HTTP. A proxy
 * of ours speaks no AJP; one that is there alone is told of as such, for people. A connector
 * without a port, on a socket of the file system, is nothing that another machine reaches.
 */
final class Connectors {

  private static final String AJP = ".ajp.";

  private Connectors() {}

  /**
   * Where a proxy reaches an application.
   *
   * @param application the application
   * @return scheme, host and port; the host may be {@link Announcement#EVERYWHERE}. Empty while no
   *     connector answers
   */
  static String url(Container application) {
    String ajp = "";
    for (Connector connector : of(application)) {
      if (connector.getState().isAvailable() && port(connector) > 0) {
        String place = "://" + host(connector) + ":" + port(connector);
        if (!isAjp(connector)) {
          return (isEncrypted(connector) ? "https" : "http") + place;
        } else if (ajp.isEmpty()) {
          ajp = "ajp" + place;
        }
      }
    }
    return ajp;
  }

  /**
   * How many threads serve an application's requests.
   *
   * @param application the application
   * @return those of the first connector that says so, one of HTTP if there is any; 0 if none does
   */
  static int threads(Container application) {
    int ajp = 0;
    for (Connector connector : of(application)) {
      int threads = threadsOf(connector);
      if (threads > 0 && !isAjp(connector)) {
        return threads;
      }
      ajp = ajp == 0 ? threads : ajp;
    }
    return ajp;
  }

  /**
   * Leaves threads to requests that need no store, while it is sought.
   *
   * @param asked where the store is
   * @param application who asks
   * @return the same, with half of the connector's threads as who may wait
   */
  static StoreOptions bounded(StoreOptions asked, Container application) {
    int threads = threads(application);
    return threads < 2 ? asked : asked.withWaitersMax(threads / 2);
  }

  /** A connector with an executor of its own beside it leaves the number to that one. */
  private static int threadsOf(Connector connector) {
    Object said = connector.getProperty("maxThreads");
    int threads = said == null ? 0 : Integer.parseInt(said.toString());
    Executor shared = connector.getProtocolHandler().getExecutor();
    return threads > 0
        ? threads
        : shared instanceof ResizableExecutor ? ((ResizableExecutor) shared).getMaxThreads() : 0;
  }

  /**
   * The Server of an application.
   *
   * @param application the application
   * @return null where it has none
   */
  static Server server(Container application) {
    Service service = service(application);
    return service == null ? null : service.getServer();
  }

  private static Connector[] of(Container application) {
    Service service = service(application);
    return service == null ? new Connector[0] : service.findConnectors();
  }

  private static Service service(Container application) {
    Container container = application;
    while (container != null && !(container instanceof Engine)) {
      container = container.getParent();
    }
    return container == null ? null : ((Engine) container).getService();
  }

  private static boolean isAjp(Connector connector) {
    return connector.getProtocolHandlerClassName().contains(AJP);
  }

  /** Asked of the socket: the connector's scheme may be that of a proxy before it. */
  private static boolean isEncrypted(Connector connector) {
    return Boolean.parseBoolean(String.valueOf(connector.getProperty("SSLEnabled")));
  }

  /** Not above 0 where it has none. */
  private static int port(Connector connector) {
    return connector.getPort() == 0 ? connector.getLocalPort() : connector.getPortWithOffset();
  }

  private static String host(Connector connector) {
    Object address = connector.getProperty("address");
    if (!(address instanceof InetAddress) || ((InetAddress) address).isAnyLocalAddress()) {
      return Announcement.EVERYWHERE;
    }
    return Hosts.literal((InetAddress) address);
  }
}
