package remora.tomcat;

import java.util.Set;
import java.util.function.Consumer;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.Session;
import org.apache.catalina.session.StandardSession;
import org.apache.catalina.util.ServerInfo;
import remora.tomcat.copy.Names;
import remora.tomcat.keeper.Held;
import remora.tomcat.keeper.Keeper;
import remora.tomcat.keeper.KeeperSettings;
import remora.tomcat.keeper.Live;
import remora.tomcat.keeper.Observer;
import remora.tomcat.keeper.PauseTicker;
import remora.tomcat.keeper.SessionIds;
import remora.tomcat.keeper.Visit;
import remora.tomcat.link.TomcatMembers;
import remora.tomcat.seal.KeyFile;
import remora.tomcat.seal.SealedStore;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.grpc.GrpcSessionStore;

/**
 * A session manager whose sessions outlive their Tomcat: {@code <Manager
 * className="remora.tomcat.RemoraManager" store="h1:7400,h2:7400,h3:7400"/>} in context.xml.
 *
 * <p>Every change of a session is on a majority of the store's disks before the response that
 * reveals it leaves. Attributes of the element, beside those of Tomcat's own managers: {@code
 * store}, {@code app}, {@code node}, {@code url}, {@code onStoreLoss}, {@code sessionLimit}, {@code
 * onSessionLimit}, {@code storeTimeout}, {@code tlsAuthority}, {@code tlsCert}, {@code tlsKey},
 * {@code key}, {@code keyFile}; see their setters. {@code sessionAttributeValueClassNameFilter} is
 * also the allow list for what is deserialized.
 *
 * <p>Lifecycle: starting neither waits for the store nor fails when it is down; stopping passivates
 * and releases the sessions, whose users go on elsewhere, and ends none of them.
 *
 * <p>Left out on purpose: session limits other than Tomcat's {@code maxActiveSessions}, swapping to
 * disk, and any expiry of what has a record by the local clock.
 */
public class RemoraManager extends ManagerAttributes {

  /**
   * How many new ids are drawn for one with the slot of the old, so that many groups of store nodes
   * could rename within one: 256 expected, and one of 3,000 renames has found none by then.
   */
  private static final int SLOT_DRAWS_MAX = 2_048;

  /**
   * After them so many more for one that is free, whatever its slot: the first, if it is random.
   */
  private static final int FREE_DRAWS_MAX = 16;

  /** How long touches are collected, in milliseconds. */
  static final long TOUCH_MILLIS = Keeper.touchMillis();

  private final Traffic traffic = new Traffic();
  private String application;
  private SessionIds ids;

  /** Null where values are not encrypted. */
  private volatile KeyFile valueKeys;

  private SessionEncoder encoder;
  private SessionStore store;
  private Presence presence;

  /** A program that embeds this Tomcat has yet to say that its connectors answer. */
  volatile boolean awaitsProgram;

  private volatile Keeper keeper;
  private volatile Observer observer;

  /** Makes a manager; Tomcat then sets the attributes of its element. */
  public RemoraManager() {}

  // ---- What consoles see

  /**
   * The application's name in the store.
   *
   * @return null before the manager has started
   */
  public String getApplication() {
    return application;
  }

  /**
   * How the store stands, as seen from here.
   *
   * @return LED, SEEKING or AWAY; STOPPED before the manager has started
   */
  public String getStoreState() {
    return keeper == null && observer == null ? "STOPPED" : store.state().toString();
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
   * Logins of frameworks whose user has no name that operators could look for.
   *
   * @return a count since the start
   */
  public long getNamelessLogins() {
    SessionEncoder values = encoder;
    return values == null ? 0 : values.namelessLogins();
  }

  /**
   * Answers refused because something was not stored.
   *
   * @return a count since the start
   */
  public long getRefusedAnswers() {
    Keeper running = keeper;
    Observer watching = observer;
    return running != null ? running.refused() : watching != null ? watching.refused() : 0;
  }

  /**
   * Values found changed without {@code setAttribute}.
   *
   * @return how many of the sessions that are here
   */
  public long getChangedInPlace() {
    Keeper running = keeper;
    Observer watching = observer;
    long changed = running == null ? 0 : running.changedInPlace();
    return watching == null ? changed : watching.changedInPlace();
  }

  /**
   * What the store was not told while sessions are only observed: too much waited, or it did not
   * answer.
   *
   * @return a count since the start
   */
  public long getDropped() {
    Observer watching = observer;
    return watching == null ? 0 : watching.dropped();
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

  /**
   * Sockets that stay open when their session ends: of a protocol or a Tomcat that we do not know
   * how to close, or those that could not be closed.
   *
   * @return a count since the start
   */
  public long getSocketsNotClosed() {
    Keeper running = keeper;
    return running == null ? 0 : running.sockets().notClosed();
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
      WebSockets.here();
      options.observes();
      options.serves();
      options.overwrites();
      options.keepsLocal();
      options.url();
      storeOptions = options.storeOptions(getJvmRoute());
      application = options.application(context);
      valueKeys = options.valueKeys();
      ids = new SessionIds(application, options.secret(valueKeys));
      SessionIds.checkOwn(generateSessionId(), getJvmRoute());
    } catch (IllegalArgumentException notUnderstood) {
      throw new LifecycleException(notUnderstood.getMessage(), notUnderstood);
    }
    Installed.enter(application, context.getParent());
    try {
      open(storeOptions, context.getLoader().getClassLoader());
    } catch (IllegalArgumentException notUnderstood) {
      Installed.leave(application, context.getParent());
      throw new LifecycleException(notUnderstood.getMessage(), notUnderstood);
    } catch (RuntimeException notOpened) {
      Installed.leave(application, context.getParent());
      throw new LifecycleException("The connection to the session store failed", notOpened);
    }
    setState(LifecycleState.STARTING);
  }

  private void open(StoreOptions storeOptions, ClassLoader loader) {
    StoreOptions asked = storeOptions.withPausedSince(ticker()::pausedSince);
    SessionStore bare = openStore(Connectors.bounded(asked, getContext()));
    store = valueKeys == null ? bare : new SealedStore(bare, valueKeys);
    encoder =
        new SessionEncoder(
            loader,
            getSessionAttributeValueClassNamePattern(),
            store::sessionBytesMax,
            options.observes() || options.keepsLocal());
    KeeperSettings settings =
        new KeeperSettings(
            application,
            ids,
            ticker(),
            loader,
            options.overwrites(),
            options.serves(),
            options.keepsLocal(),
            options.limit(),
            storeOptions.timeoutMillis());
    presence = new Presence(this, storeOptions, options, store);
    if (options.observes()) {
      observer = new Observer(settings, store, encoder);
    } else {
      Keeper opened = new Keeper(settings, store, encoder, new KeeperHost(this, encoder));
      opened.start();
      keeper = opened;
    }
    presence.begin(encoder);
  }

  @Override
  protected synchronized void stopInternal() throws LifecycleException {
    setState(LifecycleState.STOPPING);
    if (keeper != null || observes()) {
      presence.end(observes() ? endObserved() : giveUp());
      store.close();
      Installed.leave(application, getContext().getParent());
    }
    super.stopInternal();
  }

  private int giveUp() {
    Keeper running = keeper;
    for (Live session : running.all()) {
      ((RemoraSession) session).passivate();
    }
    int given = running.stop();
    for (Live session : running.all()) {
      remove((RemoraSession) session, false);
    }
    keeper = null;
    return given;
  }

  /** The sessions end here as under Tomcat's own manager when it has written them to its file. */
  private int endObserved() {
    observer.stop();
    observer = null;
    for (Session session : findSessions()) {
      ((RemoraSession) session).passivate();
      ((RemoraSession) session).expire(false);
    }
    return 0;
  }

  /**
   * Tells the store which applications beside this one have managers of their own.
   *
   * @param host whose
   * @param applications their names
   */
  void announceUnprotected(String host, Set<String> applications) {
    SessionStore open = store;
    if (open != null) {
      open.announceUnprotected(host, applications);
    }
  }

  /**
   * The requests of the application.
   *
   * @return their counts
   */
  Traffic traffic() {
    return traffic;
  }

  /**
   * Whether sessions live as under Tomcat's own manager.
   *
   * @return false where they outlive their Tomcat
   */
  boolean observes() {
    return observer != null;
  }

  /**
   * Tells who only watches, if sessions are only watched.
   *
   * @param news what there is to tell
   */
  void observe(Consumer<Observer> news) {
    Observer running = observer;
    if (running != null) {
      news.accept(running);
    }
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
   * By what this Tomcat sees how long its sessions are idle. Tests put their own in its place.
   *
   * @return monotonic time in nanoseconds
   */
  long nanoTime() {
    return System.nanoTime();
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
    if (id == null || observes()) {
      return id == null ? null : sessions.get(id);
    }
    RequestScope scope = RequestScope.current();
    try {
      Visit visit = scope == null ? null : scope.visit();
      Keeper running = keeper();
      boolean onlyHere = scope != null && scope.goesWithout();
      RemoraSession session =
          (RemoraSession) (onlyHere ? running.findHere(id, visit) : running.find(id, visit));
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
    if (observes()) {
      return super.createSession(sessionId);
    }
    String adopted = null;
    if (sessionId != null
        && SessionIds.isPlausible(sessionId)
        && getContext().getValidateClientProvidedNewSessionId()) {
      adopted = SessionIds.withRoute(sessionId, getJvmRoute());
    }
    keeper();
    RequestScope scope = RequestScope.current();
    if (scope != null && scope.wentWithout()) {
      StoreUnavailableException unknown =
          new StoreUnavailableException("nobody has been asked yet whether there is a session");
      scope.fail(unknown);
      throw unknown;
    }
    RemoraSession session = (RemoraSession) super.createSession(adopted);
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
    Observer watching = observer;
    if (watching != null) {
      watching.entered(ours);
    } else if (ours.held() == null) {
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
    if (observes()) {
      return super.rotateSessionId(session);
    }
    RemoraSession ours = (RemoraSession) session;
    int slot = ours.held().key().slot();
    for (int i = 0; i < SLOT_DRAWS_MAX + FREE_DRAWS_MAX; i++) {
      String newId = generateSessionId();
      SessionKey newKey = keeper().key(newId);
      boolean fits = newKey.slot() == slot || i >= SLOT_DRAWS_MAX;
      if (fits && renameInStore(ours, newKey, newId)) {
        super.changeSessionId(session, newId, true, true);
        return newId;
      }
    }
    throw new IllegalStateException("the session id generator made no free id; is it random?");
  }

  /**
   * Gives a session an id of the caller's choice.
   *
   * @param session the session
   * @param newId the new id
   * @throws IllegalArgumentException if another session has the id or had it lately, or no request
   *     with it would be looked up
   */
  @Override
  protected void changeSessionId(
      Session session, String newId, boolean notifySessionListeners, boolean notifyContainer) {
    RemoraSession ours = (RemoraSession) session;
    boolean kept = !observes();
    if (kept && !SessionIds.isPlausible(newId)) {
      throw new IllegalArgumentException(
          "a session cannot take this id: up to the first dot it must have " + SessionIds.SHAPE);
    } else if (kept
        && !SessionIds.bare(newId).equals(SessionIds.bare(session.getIdInternal()))
        && !renameInStore(ours, keeper().key(newId), newId)) {
      throw new IllegalArgumentException(
          "a session cannot take this id, which another has or had a while ago: choose another, or"
              + " let the manager draw one with rotateSessionId");
    }
    super.changeSessionId(session, newId, notifySessionListeners, notifyContainer);
    observe(watching -> watching.renamed(ours));
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

  /** Every few seconds, on Tomcat's own thread for that. */
  @Override
  public void backgroundProcess() {
    KeyFile keys = valueKeys;
    if (keys != null) {
      keys.look();
    }
    presence.review();
    super.backgroundProcess();
  }

  /** Ends sessions without a record that are idle, and asks the store about the others. */
  @Override
  public void processExpires() {
    Keeper running = keeper;
    if (running != null) {
      running.expire();
    } else if (observes()) {
      super.processExpires();
    }
  }
}
