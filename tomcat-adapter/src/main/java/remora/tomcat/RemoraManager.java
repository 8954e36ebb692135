package remora.tomcat;

import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Session;
import org.apache.catalina.session.ManagerBase;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.util.ServerInfo;
import remora.tomcat.copy.Names;
import remora.tomcat.keeper.Held;
import remora.tomcat.keeper.Keeper;
import remora.tomcat.keeper.KeeperSettings;
import remora.tomcat.keeper.Live;
import remora.tomcat.keeper.PauseTicker;
import remora.tomcat.keeper.SessionIds;
import remora.tomcat.keeper.Visit;
import remora.tomcat.link.TomcatMembers;
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
public class RemoraManager extends ManagerBase {

  /** How many new ids are drawn until one has the slot of the old: 256 expected. */
  private static final int RENAME_DRAWS_MAX = 100_000;

  /** How long touches are collected, in milliseconds. */
  static final long TOUCH_MILLIS = Keeper.touchMillis();

  private final ManagerOptions options = new ManagerOptions();
  private String application;
  private SessionIds ids;
  private SessionEncoder encoder;
  private SessionStore store;
  private Presence presence;
  private volatile Keeper keeper;

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
   * @param onStoreLoss {@code serve}: the sessions that this Tomcat owns, and new ones, go on, and
   *     what changes is handed over when the store is back; or {@code refuse}: a 503 that leaves
   *     the cookie as it is
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
   * What a request gets that changes an attribute which another Tomcat has changed since it was
   * read here. Only happens where users do not stick to one Tomcat.
   *
   * @param onConflict {@code refuse}, a 503; or {@code overwrite}: the later one wins, but never
   *     with a login
   */
  public void setOnConflict(String onConflict) {
    options.onConflict = onConflict;
  }

  /**
   * What a request gets that changes what another Tomcat has changed.
   *
   * @return as set
   */
  public String getOnConflict() {
    return options.onConflict;
  }

  /**
   * What becomes of a value that cannot be stored: not serializable, too large, refused by a
   * filter.
   *
   * @param onUnserializable {@code local}: it stays on this Tomcat and is lost with it; or {@code
   *     fail}: the request fails with the application's own error page
   */
  public void setOnUnserializable(String onUnserializable) {
    options.onUnserializable = onUnserializable;
  }

  /**
   * What becomes of a value that cannot be stored.
   *
   * @return as set
   */
  public String getOnUnserializable() {
    return options.onUnserializable;
  }

  /**
   * Whether sessions without content are stored, too: no attribute, login or idle limit of their
   * own. They cost the store a record for every visitor who never comes back.
   *
   * @param persistEmpty {@code true} to store them; {@code false} unless set
   */
  public void setPersistEmpty(boolean persistEmpty) {
    options.persistEmpty = persistEmpty;
  }

  /**
   * Whether sessions without content are stored, too.
   *
   * @return as set
   */
  public boolean isPersistEmpty() {
    return options.persistEmpty;
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

  // ---- What consoles see beside it

  /**
   * How the store stands, as seen from here.
   *
   * @return LED, SEEKING or AWAY; STOPPED before the manager has started
   */
  public String getStoreState() {
    return keeper == null ? "STOPPED" : store.state().toString();
  }

  /**
   * Values found that stay on this Tomcat.
   *
   * @return a count since the start
   */
  public long getLocalValues() {
    return encoder == null ? 0 : encoder.local();
  }

  /**
   * Values that could not be read here.
   *
   * @return a count since the start
   */
  public long getUndecodableValues() {
    return encoder == null ? 0 : encoder.undecodable();
  }

  /**
   * Answers refused because something was not stored.
   *
   * @return a count since the start
   */
  public long getRefusedAnswers() {
    Keeper running = keeper;
    return running == null ? 0 : running.refused();
  }

  /**
   * Values found changed without {@code setAttribute}.
   *
   * @return how many of the sessions that are here
   */
  public long getChangedInPlace() {
    Keeper running = keeper;
    return running == null ? 0 : running.changedInPlace();
  }

  /**
   * Sessions that owe the store what changed while it was away.
   *
   * @return how many
   */
  public int getOwingSessions() {
    Keeper running = keeper;
    return running == null ? 0 : running.owing();
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
      options.serves();
      options.overwrites();
      options.keepsLocal();
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
    StoreOptions asked = storeOptions.withPausedSince(ticker()::pausedSince);
    int threads = Presence.threads(getContext());
    store = openStore(threads < 2 ? asked : asked.withWaitersMax(threads / 2));
    encoder =
        new SessionEncoder(
            loader,
            getSessionAttributeValueClassNamePattern(),
            store::sessionBytesMax,
            options.keepsLocal());
    KeeperSettings settings =
        new KeeperSettings(
            application,
            ids,
            ticker(),
            loader,
            options.overwrites(),
            options.serves(),
            options.keepsLocal(),
            storeOptions.timeoutMillis());
    Keeper opened = new Keeper(settings, store, encoder, new KeeperHost());
    opened.start();
    keeper = opened;
    presence = new Presence(this, storeOptions, options, store);
    presence.begin(opened, encoder);
  }

  @Override
  protected synchronized void stopInternal() throws LifecycleException {
    setState(LifecycleState.STOPPING);
    Keeper running = keeper;
    if (running != null) {
      for (Live session : running.all()) {
        ((RemoraSession) session).passivate();
      }
      presence.end(running.stop());
      for (Live session : running.all()) {
        remove((RemoraSession) session, false);
      }
      keeper = null;
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

  /**
   * Who keeps the sessions.
   *
   * @return the keeper
   * @throws StoreUnavailableException when the application stops
   */
  Keeper keeper() {
    Keeper running = keeper;
    if (running == null) {
      throw new StoreUnavailableException("this application is stopping; ask another Tomcat");
    }
    return running;
  }

  /** The manager as its keeper sees it. */
  private final class KeeperHost implements Keeper.Host {

    @Override
    public Live make(String id, StoredSession record) {
      RemoraSession session = new RemoraSession(RemoraManager.this, encoder);
      session.load(SessionIds.withRoute(id, getJvmRoute()), record);
      return session;
    }

    @Override
    public void arrived(Live live) {
      RemoraSession session = (RemoraSession) live;
      add(session);
      session.activate();
    }

    @Override
    public void renamed(Live live, String oldId) {
      RemoraSession session = (RemoraSession) live;
      session.tellChangedSessionId(session.getIdInternal(), oldId, true, true);
    }
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
      RemoraSession session =
          (RemoraSession) keeper().find(id, scope == null ? null : scope.visit());
      if (scope != null && session != null) {
        scope.found(session.getIdInternal(), id, getJvmRoute());
      }
      return session;
    } catch (RuntimeException noAnswer) {
      if (scope != null) {
        scope.fail(noAnswer);
      }
      throw noAnswer;
    }
  }

  /**
   * Makes a session. Its record is made with its first content, before the response that follows it
   * is committed; a session without any has none.
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
    keeper();
    RemoraSession session = (RemoraSession) super.createSession(adopted);
    RequestScope scope = RequestScope.current();
    if (scope != null) {
      scope.witness(session.held());
    }
    if (options.persistEmpty) {
      session.marks(Names.IDLE);
    }
    return session;
  }

  @Override
  protected StandardSession getNewSession() {
    return new RemoraSession(this, encoder);
  }

  @Override
  public void add(Session session) {
    super.add(session);
    RemoraSession ours = (RemoraSession) session;
    if (ours.held() == null) {
      keeper().create(ours);
    } else {
      keeper().enter(ours.held(), ours.getIdInternal());
    }
  }

  @Override
  public void remove(Session session, boolean update) {
    super.remove(session, update);
    Keeper running = keeper;
    RemoraSession ours = (RemoraSession) session;
    String id = ours.getIdInternal();
    if (running != null && ours.held() != null && id != null) {
      running.remove(ours.held(), id);
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
    RemoraSession ours = (RemoraSession) session;
    int slot = ours.held().key().slot();
    for (int i = 0; i < RENAME_DRAWS_MAX; i++) {
      String newId = generateSessionId();
      SessionKey newKey = keeper().key(newId);
      if (newKey.slot() == slot && renameInStore(ours, newKey, newId)) {
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
   * @throws IllegalArgumentException if another session has the id
   */
  @Override
  protected void changeSessionId(
      Session session, String newId, boolean notifySessionListeners, boolean notifyContainer) {
    RemoraSession ours = (RemoraSession) session;
    Held held = ours.held();
    SessionKey newKey = keeper().key(newId);
    boolean fits = held.standing().epoch() == 0 || newKey.slot() == held.key().slot();
    if (!SessionIds.bare(newId).equals(SessionIds.bare(session.getIdInternal()))
        && (!fits || !renameInStore(ours, newKey, newId))) {
      throw new IllegalArgumentException(
          "a session cannot take this id: let the manager draw one with rotateSessionId");
    }
    super.changeSessionId(session, newId, notifySessionListeners, notifyContainer);
  }

  private boolean renameInStore(RemoraSession session, SessionKey newKey, String newId) {
    try {
      RequestScope scope = RequestScope.current();
      Visit visit = scope == null ? null : scope.visit();
      return keeper().rename(session.held(), newKey, newId, visit);
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

  // ---- What sessions ask

  /**
   * Ends a session in the store.
   *
   * @param held a live session
   * @throws StoreUnavailableException if the store does not answer; the session then lives on
   */
  void endInStore(Held held) {
    try {
      keeper().end(held);
    } catch (RuntimeException notRemoved) {
      failCurrentRequest(notRemoved);
      throw notRemoved;
    }
  }

  /**
   * Remembers that a session was used.
   *
   * @param held a session
   */
  void accessed(Held held) {
    Keeper running = keeper;
    if (running != null) {
      running.used(held);
    }
  }

  /**
   * Remembers that a session is used that the store may be about to end.
   *
   * @param held a session
   */
  void accessedLate(Held held) {
    Keeper running = keeper;
    if (running != null) {
      running.usedLate(held);
    }
  }

  /**
   * Remembers that a session was changed while no request used it.
   *
   * @param held a session
   */
  void changedOutside(Held held) {
    Keeper running = keeper;
    if (running != null) {
      running.changedOutside(held);
    }
  }

  /**
   * Remembers that a thread was given a mutable value that belongs to no request.
   *
   * @param held a session
   */
  void readOutside(Held held) {
    Keeper running = keeper;
    if (running != null) {
      running.readOutside(held);
    }
  }

  /** Ends sessions without a record that are idle, and asks the store about the others. */
  @Override
  public void processExpires() {
    Keeper running = keeper;
    if (running != null) {
      running.expire();
    }
  }
}
