package remora.tomcat.store.grpc;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Supplier;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.TouchReply;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.Farewell;
import remora.tomcat.store.NewsListener;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.Touch;
import remora.tomcat.store.TouchOutcome;

/** One manager's handle on the shared client: values in, values out. */
public final class GrpcSessionStore implements SessionStore {

  private final StoreClient client;
  private final long instance;
  private final StoreOptions options;

  /**
   * Applications of which something was said here. Its lock is held while that is said and while it
   * is taken back, so that nothing is said of an application after its handle's close.
   */
  private final Set<String> told = new HashSet<>();

  private final Consumer<StoreState> hearing = this::stateChanged;
  private volatile Consumer<StoreState> stateListener = state -> {};
  private final Map<String, PushListener> listening = new ConcurrentHashMap<>();
  private final Map<String, NewsListener> newsListening = new ConcurrentHashMap<>();
  private final AtomicBoolean closed = new AtomicBoolean();

  private GrpcSessionStore(StoreOptions options, long instance) {
    this.client = StoreClient.acquire(options, instance);
    this.options = options;
    this.instance = instance;
    client.stateListeners().add(hearing);
  }

  /**
   * Opens a handle. Returns at once, whether or not the store can be reached; handles with the same
   * addresses share one connection, named after the first handle's node.
   *
   * @param options where the store is and how long to wait for it
   * @return a handle, to be closed once
   */
  public static SessionStore open(StoreOptions options) {
    return openAs(options, StoreClient.INSTANCE);
  }

  /** Opens a handle that speaks as a given instance; so one JVM can play several servers. */
  static SessionStore openAs(StoreOptions options, long instance) {
    return new GrpcSessionStore(options, instance);
  }

  @Override
  public long instance() {
    return instance;
  }

  @Override
  public long nextSerial() {
    return StoreClient.nextSerial();
  }

  @Override
  public ClaimOutcome claim(long serial, SessionKey key) {
    return FromWire.claimed(ask(ToWire.claim(serial, key)).getClaim());
  }

  @Override
  public SaveOutcome save(long serial, SessionKey key, SessionChange change) {
    return FromWire.saved(ask(ToWire.save(serial, key, change)).getSave());
  }

  @Override
  public CheckOutcome check(SessionKey key, long epoch, long version) {
    return FromWire.checked(ask(ToWire.check(nextSerial(), key, epoch, version)).getCheck());
  }

  @Override
  public CommandOutcome rename(long serial, SessionKey key, SessionKey newKey, long epoch) {
    if (!key.application().equals(newKey.application())) {
      throw new IllegalArgumentException("a session keeps its application when renamed");
    }
    return FromWire.renamed(ask(ToWire.rename(serial, key, newKey, epoch)).getRename());
  }

  @Override
  public CommandOutcome remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason) {
    Request request = ToWire.remove(serial, key, createdVersion, epoch, reason);
    return FromWire.removed(ask(request).getRemove());
  }

  @Override
  public CommandOutcome release(long serial, SessionKey key, long epoch) {
    return FromWire.released(ask(ToWire.release(serial, key, epoch)).getRelease());
  }

  @Override
  public boolean bury(long serial, SessionKey key, long createdVersion) {
    return FromWire.buried(ask(ToWire.bury(serial, key, createdVersion)));
  }

  @Override
  public TouchOutcome touch(List<Touch> touches) {
    List<Touch> fenced = new ArrayList<>();
    List<Touch> gone = new ArrayList<>();
    for (int from = 0; from < touches.size(); from += TOUCHES_PER_MESSAGE_MAX) {
      int to = Math.min(from + TOUCHES_PER_MESSAGE_MAX, touches.size());
      List<Touch> part = touches.subList(from, to);
      TouchReply reply = ask(ToWire.touch(nextSerial(), part)).getTouch();
      reply.getFencedList().forEach(position -> fenced.add(part.get(position)));
      reply.getGoneList().forEach(position -> gone.add(part.get(position)));
    }
    return new TouchOutcome(fenced, gone);
  }

  @Override
  public boolean nearCopyTrusted(long readAtNanos) {
    return client.trusts(readAtNanos);
  }

  @Override
  public void beginsToWait() {
    client.beginsToWait(options);
  }

  @Override
  public void hasWaited() {
    client.hasWaited();
  }

  @Override
  public int sessionBytesMax() {
    return client.sessionBytesMax();
  }

  /**
   * Which node the shared connection leads to, for logs and status pages.
   *
   * @return the leader's client address; empty while none is known
   */
  public String leader() {
    return client.leader();
  }

  @Override
  public void onPush(String application, PushListener listener) {
    listening.put(application, listener);
    client.pushes().listen(application, listener);
    client.start();
  }

  @Override
  public void onNews(String application, NewsListener listener) {
    newsListening.put(application, listener);
    client.watches().listen(application, listener);
  }

  @Override
  public void watch(SessionKey key, long createdVersion) {
    client.watches().watch(key, createdVersion);
    client.sayWatches();
  }

  @Override
  public void unwatch(SessionKey key) {
    client.watches().forget(key);
    client.sayWatches();
  }

  @Override
  public StoreState state() {
    return client.state();
  }

  @Override
  public void onState(Consumer<StoreState> listener) {
    stateListener = listener;
  }

  @Override
  public void announce(Announcement announcement) {
    synchronized (told) {
      if (!closed.get()) {
        told.add(announcement.application());
        client.standing().announce(announcement);
        client.start();
      }
    }
  }

  @Override
  public void announceUnprotected(String host, Set<String> applications) {
    client.standing().announceUnprotected(host, applications);
  }

  @Override
  public Farewell leave() {
    return client.leave();
  }

  @Override
  public void onStatus(String application, Supplier<ApplicationStatus> figures) {
    synchronized (told) {
      if (!closed.get()) {
        told.add(application);
        client.figures().measure(application, figures);
      }
    }
  }

  private void stateChanged(StoreState state) {
    stateListener.accept(state);
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      listening.forEach(client.pushes()::forget);
      newsListening.forEach(client.watches()::forget);
      synchronized (told) {
        told.forEach(client.standing()::forget);
        told.forEach(client.figures()::forget);
      }
      client.stateListeners().remove(hearing);
      client.release(options);
    }
  }

  private Reply ask(Request request) {
    if (closed.get()) {
      throw new StoreUnavailableException("this handle on the session store is closed");
    }
    Reply reply = client.execute(request, options);
    if (!reply.getAnswerCase().name().equals(request.getAskCase().name())) {
      throw new StoreUnavailableException(
          "the session store answered a "
              + request.getAskCase()
              + " with a "
              + reply.getAnswerCase()
              + "; it speaks another version of the protocol");
    }
    return reply;
  }
}
