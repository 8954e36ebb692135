package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.LongPredicate;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.ExchangeReply;
import remora.proto.v1.Formats;
import remora.proto.v1.Hello;
import remora.proto.v1.Push;
import remora.proto.v1.Refusal;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.Welcome;
import remora.tomcat.store.Farewell;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/**
 * The connection that all managers of this JVM with the same store share: outbox, leader finder and
 * pushes, and what becomes of each answer.
 *
 * <p>Shared by the set of addresses and counted: the last handle that closes ends it, unless
 * another opens before it has ended. So the registry never hears of one instance from two clients,
 * of which one might take out what the other has entered.
 */
final class StoreClient implements LeaderFinder.Around {

  private static final Log LOG = LogFactory.getLog(StoreClient.class);

  /** The formats that this adapter understands. */
  private static final Formats UNDERSTANDS = Formats.newBuilder().setOldest(1).setNewest(1).build();

  /**
   * Pause before a request whose outcome is unknown, or that met an overloaded node, goes again.
   */
  private static final long RETRY_NANOS = 20_000_000L;

  /** Pause before a request that met a node without leadership goes to the next one. */
  private static final long MOVED_NANOS = 1_000_000L;

  /** How long a closing client waits for calls in flight; their own timeouts are of that order. */
  private static final long DRAIN_NANOS_MAX = 5_000_000_000L;

  /** How long a closing client waits until its entry is out of the registry. */
  private static final long RETIRE_MILLIS_MAX = 200;

  /** How often a closing client looks whether calls are still in flight. */
  private static final long DRAIN_LOOK_NANOS = 1_000_000L;

  /** Room for the envelope around the largest request in a message of 4 MiB. */
  private static final int REQUEST_BYTES_MAX = 4 * 1024 * 1024 - Outbox.GROUP_BYTES_MAX - 64 * 1024;

  /** 64 random bits per JVM start; alone decides ownership. */
  static final long INSTANCE = drawInstance();

  private static final AtomicLong SERIALS = new AtomicLong();
  private static final Map<String, StoreClient> SHARED = new HashMap<>();

  private final String sharedAs;
  private final StoreOptions options;
  private final Watches watches = new Watches();
  private final Outbox outbox = new Outbox(watches);
  private final Pushes pushes = new Pushes();
  private final Registrar standing;
  private final Figures figures = new Figures();
  private final Hello hello;
  private final LongPredicate pausedSince;
  private final LeaderFinder finder;
  private final AtomicBoolean started = new AtomicBoolean();
  private final List<Consumer<StoreState>> stateListeners = new CopyOnWriteArrayList<>();

  /** The store timeouts of all handles; under the lock of {@link #SHARED}. */
  private final List<Long> timeouts = new ArrayList<>();

  private volatile long timeoutNanos;
  private volatile int sessionBytesMax = SessionStore.SESSION_BYTES_MAX_DEFAULT;

  private StoreClient(String sharedAs, StoreOptions options, long instance) {
    this.sharedAs = sharedAs;
    this.pausedSince = options.pausedSince();
    this.hello =
        Hello.newBuilder()
            .setUnderstands(UNDERSTANDS)
            .setNode(options.node())
            .setInstance(instance)
            .build();
    this.options = options;
    finder = new LeaderFinder(options, outbox, this);
    standing = new Registrar(instance, options, finder);
  }

  /** Begins the search, once: as soon as somebody listens or asks, so that a Hello can say who. */
  void start() {
    if (!started.get() && started.compareAndSet(false, true)) {
      new Threads("link").newThread(finder).start();
    }
  }

  private static long drawInstance() {
    SecureRandom random = new SecureRandom();
    long drawn = random.nextLong();
    while (drawn == 0) {
      drawn = random.nextLong();
    }
    return drawn;
  }

  /** Draws the next serial of this JVM. */
  static long nextSerial() {
    return SERIALS.incrementAndGet();
  }

  /**
   * The instance's shared client for these addresses; to be given back with {@link #release}.
   *
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  static StoreClient acquire(StoreOptions options, long instance) {
    String sharedAs = String.join(",", new TreeSet<>(options.addresses())) + " as " + instance;
    synchronized (SHARED) {
      StoreClient client =
          SHARED.computeIfAbsent(sharedAs, key -> new StoreClient(key, options, instance));
      if (!client.options.isProtectedAs(options)) {
        throw new IllegalArgumentException(
            "Another application of this Tomcat uses the same store with other values of"
                + " tlsAuthority, tlsCert, tlsKey or allowPlaintext; one connection serves them"
                + " all, so they must be the same.");
      }
      client.timeouts.add(options.timeoutMillis());
      client.shortestTimeout();
      return client;
    }
  }

  /** The most impatient handle decides when the store is away; they are usually alike. */
  private void shortestTimeout() {
    timeoutNanos = TimeUnit.MILLISECONDS.toNanos(Collections.min(timeouts));
  }

  /** Gives back a handle; the last one drains, takes this Tomcat out and ends the client. */
  void release(StoreOptions options) {
    synchronized (SHARED) {
      timeouts.remove(options.timeoutMillis());
      if (!timeouts.isEmpty()) {
        shortestTimeout();
        return;
      }
    }
    long deadline = System.nanoTime() + DRAIN_NANOS_MAX;
    while (isUnused() && !outbox.isIdle() && deadline - System.nanoTime() > 0) {
      LockSupport.parkNanos(DRAIN_LOOK_NANOS);
    }
    CountDownLatch out;
    synchronized (SHARED) {
      if (!timeouts.isEmpty()) {
        return;
      }
      out = standing.leave(); // before what another handle announces, which returns it
    }
    isOut(out, RETIRE_MILLIS_MAX);
    synchronized (SHARED) {
      if (timeouts.isEmpty()) {
        SHARED.remove(sharedAs, this);
        finder.stop();
      }
    }
  }

  private boolean isUnused() {
    synchronized (SHARED) {
      return timeouts.isEmpty();
    }
  }

  /** See {@link SessionStore#leave}. */
  Farewell leave() {
    CountDownLatch out = standing.leave();
    return millisMax -> isOut(out, millisMax);
  }

  private boolean isOut(CountDownLatch out, long millisMax) {
    if (finder.state().kind() != StoreState.Kind.LED) {
      return false;
    }
    try {
      return out.await(millisMax, TimeUnit.MILLISECONDS);
    } catch (InterruptedException stopping) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** See {@link SessionStore#sessionBytesMax}. */
  int sessionBytesMax() {
    return sessionBytesMax;
  }

  Pushes pushes() {
    return pushes;
  }

  Watches watches() {
    return watches;
  }

  /** Tells the node what is watched now. */
  void sayWatches() {
    outbox.pump();
  }

  Registrar standing() {
    return standing;
  }

  Figures figures() {
    return figures;
  }

  /** See {@link SessionStore#state}. */
  StoreState state() {
    return finder.state();
  }

  /** Those who hear of every change of {@link #state}. */
  List<Consumer<StoreState>> stateListeners() {
    return stateListeners;
  }

  String leader() {
    Link link = outbox.link();
    return link == null ? "" : link.address;
  }

  boolean trusts(long readAtNanos) {
    Link link = outbox.link();
    if (link == null) {
      return false;
    }
    long now = System.nanoTime();
    link.use(now);
    return link.trusts(readAtNanos, now);
  }

  /**
   * Sends a request and waits for its answer, through whatever happens to nodes and streams.
   *
   * @throws StoreUnavailableException when the time is up
   * @throws StoreRefusedException when the store refused for good
   */
  Reply execute(Request request, StoreOptions options) {
    if (request.getSerializedSize() > REQUEST_BYTES_MAX) {
      throw new StoreRefusedException(
          StoreRefusedException.Reason.TOO_LARGE,
          "a change of "
              + request.getSerializedSize()
              + " bytes is more than one message to the store can hold ("
              + REQUEST_BYTES_MAX
              + "); keep less in the session");
    }
    start();
    failIfAway(StoreUnavailableException.Effect.NONE);
    beginsToWait(options);
    try {
      return offerAndAwait(request, options.timeoutMillis());
    } finally {
      hasWaited();
    }
  }

  /** See {@link SessionStore#beginsToWait}. */
  void beginsToWait(StoreOptions options) {
    int waitersMax = isSought() ? options.waitersMax() : Outbox.CALLS_MAX;
    if (!outbox.enter(waitersMax)) {
      throw new StoreUnavailableException(
          waitersMax + " requests wait for the session store already; " + finder.lastProblem(),
          StoreUnavailableException.Effect.NONE);
    }
  }

  /** See {@link SessionStore#hasWaited}. */
  void hasWaited() {
    outbox.leave();
  }

  private Reply offerAndAwait(Request request, long timeoutMillis) {
    long now = System.nanoTime();
    Link link = outbox.link();
    if (link != null) {
      link.use(now);
    }
    long timeout = TimeUnit.MILLISECONDS.toNanos(timeoutMillis);
    Call call = new Call(request, Thread.currentThread());
    outbox.offer(call);
    if (isAway()) {
      call.abandon(); // nobody else may have seen it when all that waited were given up
    }
    Reply reply = call.await(now + timeout);
    if (reply == null && isSought()) {
      // It began a little before the search: soon that is decided for all who wait, and for it.
      reply = call.await(now + 2 * timeout);
    }
    if (reply != null) {
      return reply;
    }
    outbox.abandon(call);
    StoreUnavailableException.Effect effect =
        call.wasSent()
            ? StoreUnavailableException.Effect.POSSIBLE
            : StoreUnavailableException.Effect.NONE;
    if (isAway()) {
      throw away(effect);
    }
    throw new StoreUnavailableException(
        "no answer from the session store within "
            + TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - now)
            + " ms; the last problem was: "
            + finder.lastProblem(),
        effect);
  }

  private boolean isSought() {
    return finder.state().kind() == StoreState.Kind.SEEKING;
  }

  private boolean isAway() {
    return finder.state().kind() == StoreState.Kind.AWAY;
  }

  /** Whoever would wait in vain hears so at once, and what may have become of the call by then. */
  void failIfAway(StoreUnavailableException.Effect effect) {
    if (isAway()) {
      throw away(effect);
    }
  }

  /** The stream to whoever leads; null while there is none. */
  Link link() {
    return outbox.link();
  }

  /** What went wrong last; for people. */
  String lastProblem() {
    return finder.lastProblem();
  }

  private StoreUnavailableException away(StoreUnavailableException.Effect effect) {
    return new StoreUnavailableException(
        "the session store is away; the last problem was: " + finder.lastProblem(), effect);
  }

  @Override
  public void pushed(Link link, Push push) {
    try {
      pushes.deliver(push, () -> outbox.acknowledge(link, push.getId()));
    } catch (RuntimeException notMarked) {
      link.distrust();
      LOG.error(
          "A session that moved could not be taken out of use; all will be asked for", notMarked);
      finder.leave(link, "", "it sent a push that could not be delivered here");
    }
  }

  @Override
  public void received(Link link, ExchangeReply message) {
    if (message.hasWelcome()) {
      limitSessions(message.getWelcome());
      finder.opened(link, message.getWelcome());
    }
    message.getNewsList().forEach(watches::heard);
    outbox.pump(); // a probe is due, or the node waits to hear that its push was read
    for (Reply reply : message.getRepliesList()) {
      replied(link, reply);
    }
  }

  private void limitSessions(Welcome welcome) {
    long said = welcome.getSessionBytesMax(); // unsigned
    if (said != 0) {
      sessionBytesMax = said < 0 || said > REQUEST_BYTES_MAX ? REQUEST_BYTES_MAX : (int) said;
    }
  }

  private void replied(Link link, Reply reply) {
    Call call = outbox.answered(link, reply);
    if (call == null) {
      return;
    }
    if (reply.hasRefusal()) {
      refused(link, call, reply.getRefusal());
    } else if (reply.hasUnknown()) {
      String leader = reply.getUnknown().getLeader();
      if (!leader.isEmpty() && !leader.equals(link.address)) {
        finder.leave(link, leader, "leadership passed to " + leader);
      }
      finder.retry(call, RETRY_NANOS, link.address + ": the outcome is not known yet");
    } else {
      call.answer(reply);
    }
  }

  private void refused(Link link, Call call, Refusal refusal) {
    switch (refusal.getReason()) {
      case REASON_NOT_LEADER:
      case REASON_NO_QUORUM:
      case REASON_STOPPING:
        finder.leave(link, refusal.getLeader(), refusal.getMessage());
        finder.retry(call, MOVED_NANOS, link.address + ": " + refusal.getMessage());
        break;
      case REASON_TOO_LARGE:
        call.refuse(
            new StoreRefusedException(
                StoreRefusedException.Reason.TOO_LARGE, refusal.getMessage()));
        break;
      case REASON_OVERLOADED:
        finder.retry(call, RETRY_NANOS, link.address + ": " + refusal.getMessage());
        break;
      case REASON_FORBIDDEN:
        finder.forbidden(link, refusal.getMessage());
        call.refuse(
            new StoreRefusedException(
                StoreRefusedException.Reason.FORBIDDEN, refusal.getMessage()));
        break;
      default:
        call.refuse(
            new StoreRefusedException(
                StoreRefusedException.Reason.MALFORMED, refusal.getMessage()));
    }
  }

  @Override
  public void ready(Link link) {
    outbox.pump();
  }

  @Override
  public void proven(Link link) {
    finder.proven(link);
  }

  @Override
  public Hello hello() {
    return hello.toBuilder().addAllApplications(pushes.applications()).build();
  }

  @Override
  public boolean pausedSince(long nanos) {
    return pausedSince.test(nanos);
  }

  @Override
  public long timeoutNanos() {
    return timeoutNanos;
  }

  @Override
  public void welcomed(Link link, Welcome welcome) {
    standing.meets(link, welcome);
  }

  @Override
  public long leads(ManagedChannel leader, long nowNanos, long elseNanos) {
    figures.tell(outbox, nowNanos);
    return standing.tell(leader, nowNanos, elseNanos);
  }

  @Override
  public void stateChanged(StoreState state) {
    for (Consumer<StoreState> listener : stateListeners) {
      try {
        listener.accept(state);
      } catch (RuntimeException broken) {
        LOG.error("The news that the session store is " + state + " met an error", broken);
      }
    }
  }

  @Override
  public void closed(Link link, Refusal refusal, String text) {
    finder.closed(link, refusal, text);
  }
}
