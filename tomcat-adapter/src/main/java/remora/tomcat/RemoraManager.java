package remora.tomcat;

import java.util.List;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Session;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.util.ServerInfo;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.link.TomcatMembers;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredSession;
import remora.tomcat.store.grpc.GrpcSessionStore;

/**
 * A session manager whose sessions outlive their Tomcat: {@code <Manager
 * className="remora.tomcat.RemoraManager" store="h1:7400,h2:7400,h3:7400"/>} in context.xml.
 *
 * <p>Every change of a session is on a majority of the store's disks before the response that
 * reveals it leaves. Attributes of the element, beside those of Tomcat's own managers: {@code
 * store}, {@code app}, {@code node}, {@code onStoreLoss}, {@code storeTimeout}, {@code key}, {@code
 * keyFile}; see their setters. {@code sessionAttributeValueClassNameFilter} is also the allow list
 * for what is deserialized.
 *
 * <p>Lifecycle: starting neither waits for the store nor fails when it is down; stopping passivates
 * and releases the sessions, whose users go on elsewhere, and ends none of them.
 *
 * <p>Left out on purpose: session limits other than Tomcat's {@code maxActiveSessions}, swapping to
 * disk, and any expiry by the local clock.
 */
public class RemoraManager extends ManagerBase implements NearCopies.Host {

  private static final Log log = LogFactory.getLog(RemoraManager.class);

  /** How many new ids are drawn until one has the slot of the old: 256 expected. */
  private static final int RENAME_DRAWS_MAX = 100_000;

  private final ManagerOptions options = new ManagerOptions();
  private String application;
  private SessionIds ids;
  private AttributeValues values;
  private SessionStore store;
  private Housekeeper housekeeper;
  private volatile SessionServices services;

  /** Makes a manager; Tomcat then sets the attributes of its element. */
  public RemoraManager() {}

  // ---- Attributes of the element

  /**
   * Client addresses of the store's nodes. Required.
   *
   * @param addresses {@code host:port}, separated by commas
   */
  public void setStore(String addresses) {
    options.store = addresses;
  }

  /**
   * Client addresses of the store's nodes.
   *
   * @return as set
   */
  public String getStore() {
    return options.store;
  }

  /**
   * A namespace before host and context path, for installations that share a store.
   *
   * @param app a name, or null for none
   */
  public void setApp(String app) {
    options.app = app;
  }

  /**
   * The namespace.
   *
   * @return as set
   */
  public String getApp() {
    return options.app;
  }

  /**
   * What people call this Tomcat. The Engine's jvmRoute unless set.
   *
   * @param node a name
   */
  public void setNode(String node) {
    options.node = node;
  }

  /**
   * What people call this Tomcat.
   *
   * @return as set
   */
  public String getNode() {
    return options.node;
  }

  /**
   * What requests with sessions get while the store does not answer.
   *
   * @param onStoreLoss {@code refuse}, a 503 that leaves the cookie as it is
   */
  public void setOnStoreLoss(String onStoreLoss) {
    options.onStoreLoss = onStoreLoss;
  }

  /**
   * What requests with sessions get while the store does not answer.
   *
   * @return as set
   */
  public String getOnStoreLoss() {
    return options.onStoreLoss;
  }

  /**
   * How long a request waits for the store: longer than an election takes. 5 s unless set.
   *
   * @param storeTimeout a number with {@code s} or {@code ms}
   */
  public void setStoreTimeout(String storeTimeout) {
    options.storeTimeout = storeTimeout;
  }

  /**
   * How long a request waits for the store.
   *
   * @return as set
   */
  public String getStoreTimeout() {
    return options.storeTimeout;
  }

  /**
   * A secret of the application's Tomcats under which ids are hashed (HMAC-SHA-256), so that the
   * store cannot be searched for an id. The same on all of them.
   *
   * @param key at least 16 bytes
   */
  public void setKey(String key) {
    options.key = key;
  }

  /**
   * A file that holds the secret of {@link #setKey}.
   *
   * @param keyFile its path
   */
  public void setKeyFile(String keyFile) {
    options.keyFile = keyFile;
  }

  /**
   * The application's name in the store.
   *
   * @return null before the manager has started
   */
  public String getApplication() {
    return application;
  }

  @Override
  public String getName() {
    return "RemoraManager";
  }

  // ---- Lifecycle

  @Override
  protected synchronized void startInternal() throws LifecycleException {
    super.startInternal();
    Context context = getContext();
    StoreOptions storeOptions;
    try {
      TomcatMembers.check(ServerInfo.getServerNumber());
      options.checkOnStoreLoss();
      storeOptions = options.storeOptions(getJvmRoute());
      application = options.application(context);
      ids = new SessionIds(application, options.secret());
      checkOwnIds();
    } catch (IllegalArgumentException notUnderstood) {
      throw new LifecycleException(notUnderstood.getMessage(), notUnderstood);
    }
    Installed.enter(application, context.getParent());
    try {
      open(storeOptions, context.getLoader().getClassLoader());
    } catch (RuntimeException notOpened) {
      Installed.leave(application, context.getParent());
      throw new LifecycleException("The connection to the session store failed", notOpened);
    }
    setState(LifecycleState.STARTING);
  }

  /**
   * Ids that look forged would be answered with "no session": everybody logged out, unexplained.
   */
  private void checkOwnIds() {
    if (!SessionIds.isPlausible(generateSessionId())) {
      throw new IllegalArgumentException(
          "session ids of this Tomcat would not be recognized: up to the first dot they must have "
              + SessionIds.BARE_CHARS_MIN
              + " to "
              + SessionIds.BARE_CHARS_MAX
              + " letters, digits, \"-\" or \"_\", which the SessionIdGenerator decides, and in all at"
              + " most "
              + SessionIds.ID_CHARS_MAX
              + " visible ASCII characters without quotes, \"&\", comma, semicolon, \"<\", \">\" and"
              + " backslash, which the jvmRoute \""
              + getJvmRoute()
              + "\" decides");
    }
  }

  private void open(StoreOptions storeOptions, ClassLoader loader) {
    store = openStore(storeOptions.withPausedSince(ticker()::pausedSince));
    values =
        new CodecValues(loader, getSessionAttributeValueClassNamePattern(), store::sessionBytesMax);
    PauseTicker ticker = ticker();
    NearCopies copies = new NearCopies(store, ids, this);
    SessionSaver saver = new SessionSaver(store, ticker);
    housekeeper = new Housekeeper(store, copies, saver, loader, application);
    services = new SessionServices(copies, saver, new SessionCommands(store), ticker);
    store.onPush(application, this::pushed);
    housekeeper.start();
  }

  @Override
  protected synchronized void stopInternal() throws LifecycleException {
    setState(LifecycleState.STOPPING);
    if (services != null) {
      housekeeper.stop();
      new Departure(store, services.saver()).leave(services.copies().all());
      for (RemoraSession session : services.copies().all()) {
        remove(session, false);
      }
      services = null;
      store.close();
      Installed.leave(application, getContext().getParent());
    }
    super.stopInternal();
  }

  /**
   * Opens the store. Tests put their own in its place.
   *
   * @param storeOptions where it is
   * @return a handle
   */
  SessionStore openStore(StoreOptions storeOptions) {
    return GrpcSessionStore.open(storeOptions);
  }

  /**
   * What notices pauses of this process. Tests put their own in its place.
   *
   * @return a ticker
   */
  PauseTicker ticker() {
    return PauseTicker.shared();
  }

  private void pushed(Push push) {
    SessionServices running = services;
    if (running != null) {
      mark(running.copies(), push);
    }
    push.acknowledge();
  }

  /** Takes a copy out of use. One that somebody changed is claimed again when it is asked for. */
  private void mark(NearCopies copies, Push push) {
    if (push.kind() == Push.Kind.OWNERSHIP_LOST || push.kind() == Push.Kind.NEWER) {
      copies.lost(push.key(), push.epoch());
      return;
    }
    RemoraSession ended = copies.ended(push.key(), push.epoch());
    if (ended != null) {
      housekeeper.end(ended);
    }
  }

  SessionServices services() {
    SessionServices running = services;
    if (running == null) {
      throw new StoreUnavailableException("this application is stopping; ask another Tomcat");
    }
    return running;
  }

  /** Does nothing: sessions are read when they are asked for. */
  @Override
  public void load() {}

  /** Does nothing: sessions are stored already. */
  @Override
  public void unload() {}

  // ---- What Tomcat asks

  /**
   * Finds a session, wherever it lives now. Never answers null because of a store error: Tomcat
   * would take that for a logout and replace the cookie.
   *
   * @param id as the client sent it
   * @return the session, or null if there certainly is none
   * @throws StoreUnavailableException if the store does not answer
   */
  @Override
  public Session findSession(String id) {
    if (id == null) {
      return null;
    }
    RequestScope scope = RequestScope.current();
    try {
      while (true) {
        RemoraSession session = services().copies().find(id);
        if (scope != null && session != null) {
          scope.touch(session);
          if (session.unusable) {
            continue; // a save failed just before we noted how many had
          }
        }
        return session;
      }
    } catch (RuntimeException noAnswer) {
      if (scope != null) {
        scope.fail(noAnswer);
      }
      throw noAnswer;
    }
  }

  /**
   * Makes a session. Its record is made when the response that carries its cookie is committed.
   *
   * @param sessionId an id to adopt: Tomcat names one only where it belongs to a session of another
   *     application on the same cookie
   * @return the session
   */
  @Override
  public Session createSession(String sessionId) {
    String adopted = null;
    if (sessionId != null
        && SessionIds.isPlausible(sessionId)
        && getContext().getValidateClientProvidedNewSessionId()) {
      adopted = SessionIds.withRoute(sessionId, getJvmRoute());
    }
    services();
    RemoraSession session = (RemoraSession) super.createSession(adopted);
    RequestScope scope = RequestScope.current();
    if (scope != null) {
      scope.touch(session);
    }
    return session;
  }

  @Override
  protected StandardSession getNewSession() {
    return new RemoraSession(this, values);
  }

  @Override
  public RemoraSession activate(String id, StoredSession record) {
    RemoraSession session = new RemoraSession(this, values);
    session.load(SessionIds.withRoute(id, getJvmRoute()), record);
    add(session);
    session.activate();
    return session;
  }

  @Override
  public void add(Session session) {
    super.add(session);
    services().copies().add((RemoraSession) session);
  }

  @Override
  public void remove(Session session, boolean update) {
    super.remove(session, update);
    SessionServices running = services;
    if (running != null) {
      running.copies().remove((RemoraSession) session);
    }
  }

  /**
   * Gives a session a new id, as Tomcat does at a login: in the store first, atomically.
   *
   * @param session the session
   * @return the new id
   */
  @Override
  public String rotateSessionId(Session session) {
    int slot = ((RemoraSession) session).key().slot();
    for (int i = 0; i < RENAME_DRAWS_MAX; i++) {
      String newId = generateSessionId();
      SessionKey newKey = ids.key(SessionIds.bare(newId));
      if (newKey.slot() == slot && rename((RemoraSession) session, newKey, newId)) {
        super.changeSessionId(session, newId, true, true);
        return newId;
      }
    }
    throw new IllegalStateException(
        "the session id generator made no id for slot " + slot + "; is it random?");
  }

  /**
   * Gives a session an id of the caller's choice.
   *
   * @param session the session
   * @param newId the new id
   */
  @Override
  protected void changeSessionId(
      Session session, String newId, boolean notifySessionListeners, boolean notifyContainer) {
    RemoraSession ours = (RemoraSession) session;
    String bareId = SessionIds.bare(newId);
    if (!bareId.equals(SessionIds.bare(session.getIdInternal()))) {
      SessionKey newKey = ids.key(bareId);
      if (newKey.slot() != ours.key().slot() || !rename(ours, newKey, newId)) {
        throw new IllegalArgumentException(
            "a session cannot take this id: let the manager draw one with rotateSessionId");
      }
    }
    super.changeSessionId(session, newId, notifySessionListeners, notifyContainer);
  }

  @Override
  public String finishRename(RemoraSession session) {
    String oldId = session.getIdInternal();
    if (services().commands().finishRename(session)) {
      session.tellChangedSessionId(session.getIdInternal(), oldId, true, true);
    }
    return session.getIdInternal();
  }

  private boolean rename(RemoraSession session, SessionKey newKey, String newId) {
    try {
      return services().commands().rename(session, newKey, newId);
    } catch (RuntimeException notRenamed) {
      failCurrentRequest(notRenamed);
      throw notRenamed;
    }
  }

  private static void failCurrentRequest(RuntimeException cause) {
    RequestScope scope = RequestScope.current();
    if (scope != null) {
      scope.fail(cause);
    }
  }

  /**
   * Ends a session in the store.
   *
   * @param session a live session
   * @throws StoreUnavailableException if the store does not answer; the session then lives on
   */
  void removeFromStore(RemoraSession session) {
    try {
      services().commands().remove(session);
    } catch (RuntimeException notRemoved) {
      failCurrentRequest(notRemoved);
      throw notRemoved;
    }
  }

  /**
   * Remembers that a session was used.
   *
   * @param session a session
   */
  void accessed(RemoraSession session) {
    if (services != null) {
      housekeeper.used(session);
    }
  }

  /**
   * Remembers that a session is used that the store may be about to end.
   *
   * @param session a session
   */
  void accessedLate(RemoraSession session) {
    if (services != null) {
      housekeeper.usedLate(session);
    }
  }

  /**
   * Remembers that a session was changed while no request used it.
   *
   * @param session a session
   */
  void changedOutside(RemoraSession session) {
    if (services != null) {
      housekeeper.changedOutside(session);
    }
  }

  /** Asks the store about sessions that have been idle for long, and lets go of lost copies. */
  @Override
  public void processExpires() {
    SessionServices running = services;
    if (running == null) {
      return;
    }
    for (RemoraSession session : running.copies().abandoned()) {
      remove(session, false);
    }
    List<RemoraSession> sessions = running.copies().all();
    try {
      for (RemoraSession session : sessions) {
        if (session.isIdleTooLong(2 * Housekeeper.TOUCH_MILLIS)) {
          running.copies().review(session);
        }
      }
    } catch (StoreUnavailableException silent) {
      log.debug("Idle sessions wait for the store", silent);
    }
  }
}
