package remora.tomcat;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.Container;
import org.apache.catalina.Engine;
import org.apache.catalina.Service;
import org.apache.catalina.connector.Connector;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;

/**
 * What a manager says of itself: one line in the log when it starts and one when it stops, what it
 * serves to the store's registry, and how it fares.
 */
final class Presence {

  private static final Log log = LogFactory.getLog(Presence.class);

  /** Of a jar that was not built by Maven, as in tests. */
  private static final String VERSION_UNKNOWN = "unknown";

  private final RemoraManager manager;
  private final StoreOptions where;
  private final ManagerOptions options;
  private final SessionStore store;

  Presence(RemoraManager manager, StoreOptions where, ManagerOptions options, SessionStore store) {
    this.manager = manager;
    this.where = where;
    this.options = options;
    this.store = store;
  }

  /**
   * Says that the manager serves from now on.
   *
   * @param encoder who encodes its sessions' values
   */
  void begin(SessionEncoder encoder) {
    log.info(opening());
    store.announce(
        new Announcement(
            where.node(),
            url(),
            manager.getApplication(),
            options.way(),
            version(),
            threads(manager.getContext()),
            !options.observes() && EndListeners.areRegistered(manager.getContext())));
    store.onStatus(
        manager.getApplication(),
        () ->
            new ApplicationStatus(
                manager.traffic().busy(),
                manager.traffic().inFlight(),
                encoder.local(),
                encoder.undecodable(),
                manager.getRefusedAnswers(),
                manager.getChangedInPlace(),
                encoder.unstorableClasses()));
    Leaving.enter(this, manager.getContext());
  }

  private String opening() {
    String store = " the store at " + String.join(", ", where.addresses()) + " as " + where.node();
    return options.observes()
        ? manager.getApplication()
            + " tells"
            + store
            + " what its sessions hold; they live and end as under Tomcat's own manager"
        : manager.getApplication()
            + " keeps its sessions in"
            + store
            + "; while the store is away it will "
            + options.onStoreLoss;
  }

  /**
   * Says to the store that this Tomcat leaves.
   *
   * @param deadlineNanos until when its word may be waited for; monotonic
   * @return whether it has heard; false, and at once, where no node leads
   */
  boolean leaves(long deadlineNanos) {
    return store.leave(TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime()));
  }

  /**
   * Whether threads serve its requests.
   *
   * @return whether anybody is busy
   */
  boolean isBusy() {
    return manager.traffic().busy() > 0;
  }

  /**
   * Says that the manager has stopped.
   *
   * @param given how many sessions it gave up
   */
  void end(int given) {
    Leaving.leave(this, manager.getContext());
    String fate =
        options.observes()
            ? "its sessions end with it"
            : given + " sessions were handed to other Tomcats";
    log.info(manager.getApplication() + " stops; " + fate);
  }

  private static String version() {
    String version = Presence.class.getPackage().getImplementationVersion();
    return version == null ? VERSION_UNKNOWN : version;
  }

  /** Where a proxy reaches this Tomcat: its first connector; empty if there is none. */
  private String url() {
    for (Connector connector : connectors(manager.getContext())) {
      return connector.getScheme() + "://" + host(connector) + ":" + connector.getPort();
    }
    return "";
  }

  /** Of a connector that listens everywhere only this machine's name can be told. */
  private static String host(Connector connector) {
    Object address = connector.getProperty("address");
    if (!(address instanceof InetAddress) || ((InetAddress) address).isAnyLocalAddress()) {
      return ManagerOptions.hostName(System.getenv("HOSTNAME"));
    }
    String host = ((InetAddress) address).getHostAddress();
    return address instanceof Inet6Address ? "[" + host + "]" : host;
  }

  /**
   * How many threads serve an application's requests.
   *
   * @param context the application
   * @return those of the first connector that says so; 0 if none does
   */
  static int threads(Container context) {
    for (Connector connector : connectors(context)) {
      Object threads = connector.getProperty("maxThreads");
      if (threads != null) {
        return Integer.parseInt(threads.toString());
      }
    }
    return 0;
  }

  private static Connector[] connectors(Container context) {
    Container container = context;
    while (container != null && !(container instanceof Engine)) {
      container = container.getParent();
    }
    Service service = container == null ? null : ((Engine) container).getService();
    return service == null ? new Connector[0] : service.findConnectors();
  }
}
