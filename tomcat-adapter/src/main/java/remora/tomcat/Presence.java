package remora.tomcat;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.Farewell;
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

  /** What the store was told last; null before that. */
  private Announcement said;

  private boolean complained;

  /** Tomcat's background thread may still come by while an application is taken away. */
  private boolean ended;

  /** The store was told that this Tomcat leaves, and nobody has said since that it is back. */
  private boolean away;

  Presence(RemoraManager manager, StoreOptions where, ManagerOptions options, SessionStore store) {
    this.manager = manager;
    this.where = where;
    this.options = options;
    this.store = store;
  }

  /**
   * Says that the manager serves from now on: to the log at once, to the store as soon as a
   * connector answers.
   *
   * @param encoder who encodes its sessions' values
   */
  void begin(SessionEncoder encoder) {
    log.info(opening());
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
    ServerSteps.enter(this, manager.getContext());
    review();
  }

  /**
   * Looks whether something else is to be said than before; called now and then, too. Of a Tomcat
   * that leaves there is nothing to say.
   */
  void review() {
    if (ServerSteps.haveStarted(manager.getContext()) && !say() && !manager.awaitsProgram) {
      nowhere();
    }
  }

  /** The connectors answer, for the first time or again: says to the store what is served. */
  synchronized void announce() {
    away = false;
    say();
  }

  /**
   * Says to the store what is served, where and how, unless that has been said or has ended.
   *
   * @return false while no connector answers; an embedded server may open them later than it starts
   */
  private synchronized boolean say() {
    if (ended || away) {
      return true;
    }
    String url = options.url == null ? Connectors.url(manager.getContext()) : options.url();
    if (url.isEmpty()) {
      return false;
    }
    Announcement now =
        new Announcement(
            where.node(),
            url,
            manager.getApplication(),
            options.way(),
            version(),
            Connectors.threads(manager.getContext()),
            !options.observes() && EndListeners.areRegistered(manager.getContext()));
    if (!now.equals(said)) {
      said = now;
      store.announce(now);
    }
    return true;
  }

  private synchronized void nowhere() {
    if (!complained) {
      complained = true;
      log.warn(
          manager.getApplication()
              + " is reached by no connector of this Tomcat, so the store is told of no place: give"
              + " its Service one, or the manager url=\"http://host:port\".");
    }
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
   * Says to the store that this Tomcat leaves, which undoes what was said before. Returns at once.
   *
   * @return by which the store's word can be waited for
   */
  synchronized Farewell leaves() {
    said = null;
    away = true;
    return store.leave();
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
   * Says that the manager has stopped; it announces nothing from now on.
   *
   * @param given how many sessions it gave up
   */
  synchronized void end(int given) {
    ended = true;
    ServerSteps.leave(this, manager.getContext());
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
}
