package remora.tomcat;

import java.util.ArrayList;
import java.util.Collections;
import org.apache.catalina.Container;
import org.apache.catalina.Engine;
import org.apache.catalina.Service;
import org.apache.catalina.connector.Connector;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.keeper.Keeper;
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
   * @param keeper who keeps its sessions
   * @param encoder who encodes their values
   */
  void begin(Keeper keeper, SessionEncoder encoder) {
    log.info(
        manager.getApplication()
            + " keeps its sessions in the store at "
            + String.join(", ", where.addresses())
            + " as "
            + where.node()
            + "; while the store is away it will "
            + options.onStoreLoss);
    store.announce(
        new Announcement(
            where.node(),
            url(),
            manager.getApplication(),
            options.onStoreLoss,
            version(),
            threads(manager.getContext())));
    store.onStatus(
        manager.getApplication(),
        () ->
            new ApplicationStatus(
                0,
                0,
                encoder.local(),
                encoder.undecodable(),
                keeper.refused(),
                keeper.changedInPlace(),
                new ArrayList<>(Collections.<String>emptyList())));
  }

  /**
   * Says that the manager has stopped.
   *
   * @param given how many sessions it gave up
   */
  void end(int given) {
    log.info(
        manager.getApplication() + " stops; " + given + " sessions were handed to other Tomcats");
  }

  private static String version() {
    String version = Presence.class.getPackage().getImplementationVersion();
    return version == null ? VERSION_UNKNOWN : version;
  }

  /** Where a proxy reaches this Tomcat: its first connector; empty if there is none. */
  private String url() {
    for (Connector connector : connectors(manager.getContext())) {
      return connector.getScheme() + "://" + where.node() + ":" + connector.getPort();
    }
    return "";
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
