package remora.tomcat.store;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * One Tomcat's handle to a {@link FakeTable}, and what may go wrong between the two. Handles of one
 * {@link Shared} table in one JVM stand for several Tomcats.
 *
 * <p>Where the real store would be waited for until the timeout, the fake has no answer at once.
 * Pushes reach their listener within the command that caused them; it is answered when they are
 * acknowledged, as a claim is when its previous owner has let go, and the only wait here.
 */
public final class FakeStore implements SessionStore {

  /** The table that several handles share, and who of them listens. */
  public static final class Shared {
    final FakeTable table = new FakeTable();
    private final Map<Long, FakeStore> listening = new ConcurrentHashMap<>();
    private long clock;

    /** How long a command waits for those whom it concerns, in milliseconds. */
    public volatile long acknowledgedWithinMillis = 1_200;

    /** While set, an owner is offered its own sessions, and not told that they have expired. */
    public volatile boolean ownersAreOffered;

    /** Lets table time pass, and sweeps. */
    public void passTime(long millis) {
      List<FakeTable.Event> events;
      synchronized (table) {
        clock += millis;
        table.beginEntry(clock);
        table.sweep(Integer.MAX_VALUE);
        events = table.takeEvents();
      }
      push(events);
      offer(false);
      tellNews();
    }

    /** Offers once more what nobody has buried, as after a silence, and in turn to all. */
    public void offerAgain() {
      offer(true);
    }

    /** Each leaver goes to its owner, who was told already, else to one who is there. */
    private void offer(boolean again) {
      Map<FakeLeavers.Leaver, FakeStore> offers = new LinkedHashMap<>();
      synchronized (table) {
        List<FakeStore> there = new ArrayList<>(new TreeMap<>(listening).values());
        there.removeIf(handle -> handle.untrusted);
        for (FakeLeavers.Leaver leaver : table.leavers.unburied()) {
          FakeStore owner = listening.get(leaver.record.owner.instance());
          if (there.contains(owner) && !ownersAreOffered) {
            table.leavers.forget(leaver);
          } else if (!there.isEmpty() && (again || leaver.offers == 0)) {
            FakeStore inTurn = there.get(leaver.offers++ % there.size());
            offers.put(leaver, there.contains(owner) ? owner : inTurn);
          }
        }
      }
      offers.forEach(
          (leaver, handle) ->
              handle.listeners.forEach(
                  (application, listener) -> {
                    SessionKey key = new SessionKey(application, leaver.key.hash());
                    listener.pushed(Push.leaver(key, leaver.record.image(), () -> {}));
                  }));
    }

    /** Tells who watches what has ended or moved. */
    private void tellNews() {
      listening.values().forEach(FakeStore::tellNews);
    }

    /** Tells owners; what is returned opens as they acknowledge. */
    private List<CountDownLatch> push(List<FakeTable.Event> events) {
      List<CountDownLatch> open = new ArrayList<>();
      for (FakeTable.Event event : events) {
        FakeStore handle = listening.get(event.instance);
        boolean offered = ownersAreOffered && event.kind == Push.Kind.EXPIRED;
        if (handle != null && !handle.untrusted && !offered) {
          handle.listeners.forEach(
              (application, listener) -> open.add(push(event, application, listener)));
        }
      }
      return open;
    }

    private static CountDownLatch push(
        FakeTable.Event event, String application, PushListener listener) {
      CountDownLatch acknowledged = new CountDownLatch(1);
      SessionKey key = new SessionKey(application, event.key.hash());
      listener.pushed(
          new Push(key, event.kind, event.epoch, event.version, acknowledged::countDown));
      return acknowledged;
    }
  }

  private static final AtomicLong SERIALS = new AtomicLong();

  private final Shared shared;
  private final FakeTable table;
  private final long instance;
  private final Map<String, PushListener> listeners = new ConcurrentHashMap<>();
  private final Map<String, NewsListener> newsListeners = new ConcurrentHashMap<>();

  /** What is watched here, with the life that is meant. */
  public final Map<SessionKey, Long> watched = new ConcurrentHashMap<>();

  private final Map<ByteBuffer, Integer> touched = new ConcurrentHashMap<>();

  /** How many calls went to the store, and of which kind. */
  private final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();

  /** While set, no call is answered. */
  public volatile boolean down;

  /** Calls of this name do what they are asked, and their answer is lost. */
  public volatile String answerLost;

  /** While set, calls wait until it opens, and are not answered then. */
  public volatile CountDownLatch silence;

  /** While set, nothing is answered that changes the table. */
  public volatile boolean savesFail;

  /** While set, the stream has not been confirmed. */
  public volatile boolean untrusted;

  /** What was done about leaving, in order: said, or waited for. */
  public final List<String> farewells = new CopyOnWriteArrayList<>();

  /** Hears that this Tomcat leaves. */
  public volatile Runnable leaving = () -> {};

  /** Every announcement, in order. */
  public final List<Announcement> announcements = new CopyOnWriteArrayList<>();

  /** The latest announcement of each application. */
  public final Map<String, Announcement> announced = new ConcurrentHashMap<>();

  /** The applications of each host that are said to have managers of their own. */
  public final Map<String, Set<String>> unprotected = new ConcurrentHashMap<>();

  /** Who knows how each application fares. */
  public final Map<String, Supplier<ApplicationStatus>> figures = new ConcurrentHashMap<>();

  /** How many threads may wait for others' calls while the store is being sought. */
  public volatile int waitersMax = Integer.MAX_VALUE;

  private final AtomicInteger waiting = new AtomicInteger();

  private volatile StoreState state = new StoreState(StoreState.Kind.LED, System.nanoTime(), false);
  private volatile Consumer<StoreState> stateListener = changed -> {};

  /** A handle of a Tomcat that has just started. */
  public FakeStore(Shared shared) {
    this(shared, SERIALS.incrementAndGet());
  }

  /** A handle of this instance. */
  public FakeStore(Shared shared, long instance) {
    this.shared = shared;
    this.table = shared.table;
    this.instance = instance;
  }

  /**
   * From now on the store stands so; nothing is answered, and nothing trusted, unless it is led.
   */
  public void stand(StoreState.Kind kind) {
    stand(kind, false);
  }

  /** As {@link #stand(StoreState.Kind)}, where the stream before may have ended across a pause. */
  public void stand(StoreState.Kind kind, boolean acrossPause) {
    down = kind != StoreState.Kind.LED;
    state = new StoreState(kind, System.nanoTime(), acrossPause);
    stateListener.accept(state);
  }

  @Override
  public void beginsToWait() {
    if (waiting.incrementAndGet() > waitersMax && state.kind() == StoreState.Kind.SEEKING) {
      waiting.decrementAndGet();
      throw new StoreUnavailableException(
          waitersMax + " wait already", StoreUnavailableException.Effect.NONE);
    }
  }

  @Override
  public void hasWaited() {
    waiting.decrementAndGet();
  }

  /** How often a kind of call was made. */
  public int count(String call) {
    AtomicInteger count = calls.get(call);
    return count == null ? 0 : count.get();
  }

  /** How often calls were made. */
  public int countAll() {
    return calls.values().stream().mapToInt(AtomicInteger::get).sum();
  }

  /** How often a session was touched. */
  public int touched(SessionKey key) {
    return touched.getOrDefault(ByteBuffer.wrap(key.hash()), 0);
  }

  /** Ends a session as the sweep or an operator does. */
  public void end(SessionKey key, Push.Kind kind) {
    List<FakeTable.Event> events;
    synchronized (table) {
      if (kind == Push.Kind.EXPIRED) {
        table.expire(key);
      } else {
        table.kill(FakeTable.Caller.NOBODY, key, table.live(key).created);
      }
      events = table.takeEvents();
    }
    shared.push(events);
    shared.offer(false);
    shared.tellNews();
  }

  private <T> T ask(String call, Supplier<T> command) {
    calls.computeIfAbsent(call, absent -> new AtomicInteger()).incrementAndGet();
    if (state.kind() == StoreState.Kind.AWAY) {
      throw new StoreUnavailableException(
          "the fake store is away", StoreUnavailableException.Effect.NONE);
    }
    waitInSilence();
    if (down || savesFail && !"claim".equals(call) && !"check".equals(call)) {
      throw new StoreUnavailableException("the fake store is down");
    }
    T outcome;
    List<FakeTable.Event> events;
    synchronized (table) {
      outcome = command.get();
      events = table.takeEvents();
    }
    awaitAcknowledged(shared.push(events));
    shared.tellNews();
    if (call.equals(answerLost)) {
      throw new StoreUnavailableException("the fake store's answer is lost");
    }
    return outcome;
  }

  private void awaitAcknowledged(List<CountDownLatch> pushes) {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(shared.acknowledgedWithinMillis);
    boolean interrupted = false;
    for (CountDownLatch push : pushes) {
      boolean waits = true;
      while (waits) {
        try {
          push.await(end - System.nanoTime(), TimeUnit.NANOSECONDS);
          waits = false;
        } catch (InterruptedException keptForLater) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private void waitInSilence() {
    CountDownLatch end = silence;
    if (end == null) {
      return;
    }
    try {
      end.await(20, TimeUnit.SECONDS);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
    throw new StoreUnavailableException("the fake store is silent");
  }

  private FakeTable.Caller caller(long serial) {
    return new FakeTable.Caller("n" + instance, instance, serial);
  }

  @Override
  public long instance() {
    return instance;
  }

  @Override
  public long nextSerial() {
    return SERIALS.incrementAndGet();
  }

  @Override
  public ClaimOutcome claim(long serial, SessionKey key) {
    ClaimOutcome outcome = ask("claim", () -> table.claim(caller(serial), key));
    return outcome.session() == null ? outcome : asItStands(key, outcome.session().epoch());
  }

  /** A claim's answer is the record of the moment: its previous owner may have saved late. */
  private ClaimOutcome asItStands(SessionKey key, long epoch) {
    synchronized (table) {
      ClaimOutcome ended = table.preview(key);
      if (ended != null) {
        return ended;
      }
      FakeRecord record = table.live(key);
      return record.epoch == epoch
          ? new ClaimOutcome(ClaimOutcome.Kind.CLAIMED, record.image(), 0)
          : new ClaimOutcome(ClaimOutcome.Kind.STALE, null, 0);
    }
  }

  @Override
  public SaveOutcome save(long serial, SessionKey key, SessionChange change) {
    return ask(
        "save",
        () -> {
          refuse(table.live(key), change);
          return table.save(caller(serial), key, change);
        });
  }

  /** What the store refuses before it asks its table. */
  private static void refuse(FakeRecord record, SessionChange change) {
    Set<String> named = new HashSet<>(change.removed());
    boolean once = named.size() == change.removed().size();
    long before = record == null ? 0 : record.bytes();
    long after = before;
    for (StoredAttribute changed : change.changed()) {
      once &= named.add(changed.name());
      after += FakeRecord.bytes(changed);
    }
    if (!once) {
      throw new StoreRefusedException(
          StoreRefusedException.Reason.MALFORMED, "an attribute is named twice: name each once");
    }
    if (change.login() != null) {
      after += FakeRecord.bytes(change.login());
      after -= record == null ? 0 : FakeRecord.bytes(record.login);
    }
    for (String name : named) {
      StoredAttribute replaced = record == null ? null : record.attributes.get(name);
      after -= replaced == null ? 0 : FakeRecord.bytes(replaced);
    }
    if (after > SESSION_BYTES_MAX_DEFAULT && after >= before) {
      throw new StoreRefusedException(
          StoreRefusedException.Reason.TOO_LARGE,
          "the session would hold " + after + " bytes and may hold " + SESSION_BYTES_MAX_DEFAULT);
    }
  }

  @Override
  public CheckOutcome check(SessionKey key, long epoch, long version) {
    return ask("check", () -> table.check(key, epoch, version));
  }

  @Override
  public CommandOutcome rename(long serial, SessionKey key, SessionKey newKey, long epoch) {
    if (!key.application().equals(newKey.application())) {
      throw new IllegalArgumentException("a session keeps its application when renamed");
    }
    return ask("rename", () -> table.rename(caller(serial), key, newKey, epoch));
  }

  @Override
  public CommandOutcome remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason) {
    FakeTable.Why why = reason == RemoveReason.EXPIRY ? FakeTable.Why.EXPIRY : FakeTable.Why.LOGOUT;
    return ask("remove", () -> table.remove(caller(serial), key, createdVersion, epoch, why));
  }

  @Override
  public CommandOutcome release(long serial, SessionKey key, long epoch) {
    return ask("release", () -> table.release(caller(serial), key, epoch));
  }

  @Override
  public boolean bury(long serial, SessionKey key, long createdVersion) {
    return ask("bury", () -> table.leavers.bury(caller(serial), key, createdVersion));
  }

  @Override
  public TouchOutcome touch(List<Touch> touches) {
    return ask(
        "touch",
        () -> {
          touches.forEach(
              touch -> touched.merge(ByteBuffer.wrap(touch.key().hash()), 1, Integer::sum));
          return table.touch(touches);
        });
  }

  @Override
  public boolean nearCopyTrusted(long readAtNanos) {
    return !down && !untrusted;
  }

  @Override
  public int sessionBytesMax() {
    return SESSION_BYTES_MAX_DEFAULT;
  }

  @Override
  public void onPush(String application, PushListener listener) {
    shared.listening.put(instance, this);
    listeners.put(application, listener);
  }

  @Override
  public void onNews(String application, NewsListener listener) {
    newsListeners.put(application, listener);
  }

  @Override
  public void watch(SessionKey key, long createdVersion) {
    watched.put(key, createdVersion);
    tellNews();
  }

  @Override
  public void unwatch(SessionKey key) {
    watched.remove(key);
  }

  private void tellNews() {
    watched.forEach(
        (key, created) -> {
          SessionKey now;
          synchronized (table) {
            now = table.follow(key, created);
          }
          NewsListener listener = newsListeners.get(key.application());
          if (listener == null || key.equals(now) || !watched.remove(key, created)) {
            return;
          }
          if (now == null) {
            listener.ended(key, created);
          } else {
            watched.put(now, created);
            listener.renamed(key, now);
          }
        });
  }

  @Override
  public StoreState state() {
    return state;
  }

  @Override
  public void onState(Consumer<StoreState> listener) {
    stateListener = listener;
  }

  @Override
  public void announce(Announcement announcement) {
    announced.put(announcement.application(), announcement);
    announcements.add(announcement);
  }

  @Override
  public void announceUnprotected(String host, Set<String> applications) {
    unprotected.put(host, applications);
  }

  @Override
  public Farewell leave() {
    farewells.add("said");
    boolean led = state.kind() == StoreState.Kind.LED;
    if (led) {
      leaving.run();
    }
    return millisMax -> farewells.add("waited for") && led;
  }

  @Override
  public void onStatus(String application, Supplier<ApplicationStatus> supplier) {
    figures.put(application, supplier);
  }

  @Override
  public void close() {
    shared.listening.remove(instance, this);
    listeners.clear();
    newsListeners.clear();
    watched.clear();
    stateListener = changed -> {};
  }
}
