package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import io.grpc.stub.StreamObserver;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.AnnounceRequest;
import remora.proto.v1.Caller;
import remora.proto.v1.RegistryGrpc;
import remora.proto.v1.RetireRequest;
import remora.proto.v1.Status;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.ApplicationStatus;

/** What this Tomcat says of itself: the announcements and figures of its applications, together. */
final class Registrar {

  /** How often an announcement is renewed: one may be lost. */
  private static final long ANNOUNCE_NANOS = 10_000_000_000L;

  /** Applications start one after the other, and are announced together. */
  private static final long ANNOUNCE_NANOS_MIN = 1_000_000_000L;

  /** How often figures are taken. */
  private static final long STATUS_NANOS = 5_000_000_000L;

  private static final Log LOG = LogFactory.getLog(Registrar.class);

  private final Map<String, Announcement> announced = new ConcurrentHashMap<>();
  private final Map<String, Set<String>> unprotected = new ConcurrentHashMap<>();
  private final Map<String, Supplier<ApplicationStatus>> figures = new ConcurrentHashMap<>();

  private final long instance;
  private volatile boolean changed;

  /** Whether this Tomcat has said that it stops. */
  private volatile boolean left;

  /** The connection over which this Tomcat was announced; null before that. */
  private ManagedChannel announcedOver;

  private String announcedAs = "";

  /** When each was said or taken last; only used by the leader finder's thread. */
  private long announcedNanos;

  private long measuredNanos;

  Registrar(long instance) {
    this.instance = instance;
    long now = System.nanoTime();
    announcedNanos = now - ANNOUNCE_NANOS;
    measuredNanos = now - STATUS_NANOS;
  }

  void announce(Announcement announcement) {
    announced.put(announcement.application(), announcement);
    left = false;
    changed = true;
  }

  void announceUnprotected(String host, Set<String> applications) {
    unprotected.put(host, applications);
    changed = true;
  }

  void measure(String application, Supplier<ApplicationStatus> supplier) {
    figures.put(application, supplier);
  }

  /** An application is not served here any more. */
  void forget(String application) {
    figures.remove(application);
    changed |= announced.remove(application) != null;
  }

  /** Says what is due to be said; called again and again while a leader stands. */
  void tell(ManagedChannel leader, Outbox outbox, long nowNanos) {
    long pause = changed ? ANNOUNCE_NANOS_MIN : ANNOUNCE_NANOS;
    if (nowNanos - announcedNanos >= pause) {
      announceOver(leader, nowNanos);
    }
    if (nowNanos - measuredNanos >= STATUS_NANOS) {
      measuredNanos = nowNanos;
      Status figures = status();
      if (figures != null) {
        outbox.tell(figures);
      }
    }
  }

  /** Announces, or not: never between what {@link #takeOut} looks at and what it does. */
  private synchronized void announceOver(ManagedChannel leader, long nowNanos) {
    if (left) {
      return;
    }
    announcedNanos = nowNanos;
    changed = false;
    AnnounceRequest announcement = announcement();
    if (announcement != null) {
      RegistryGrpc.newStub(leader).announce(announcement, new Ended<>(() -> {}));
      announcedAs = announcement.getCaller().getNode();
      announcedOver = leader;
    }
  }

  /**
   * Takes this Tomcat out, if it was announced, and announces it no more; waits for that a while.
   * Whether it is out.
   */
  boolean retire(long millisMax) {
    CountDownLatch ended = new CountDownLatch(1);
    if (!takeOut(ended::countDown)) {
      return true;
    }
    try {
      return ended.await(millisMax, TimeUnit.MILLISECONDS);
    } catch (InterruptedException stopping) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** Begins to take this Tomcat out. Whether there was somebody to take out. */
  private synchronized boolean takeOut(Runnable then) {
    left = true;
    ManagedChannel leader = announcedOver;
    if (leader == null) {
      return false;
    }
    RetireRequest request = RetireRequest.newBuilder().setCaller(caller(announcedAs)).build();
    RegistryGrpc.newStub(leader).retire(request, new Ended<>(then));
    announcedOver = null;
    return true;
  }

  /** Hears of the end of a call that is made again, or need not be. */
  private static final class Ended<T> implements StreamObserver<T> {
    private final Runnable then;

    private Ended(Runnable then) {
      this.then = then;
    }

    @Override
    public void onNext(T reply) {}

    @Override
    public void onError(Throwable refused) {
      LOG.debug("the session store did not take what this server says of itself", refused);
      then.run();
    }

    @Override
    public void onCompleted() {
      then.run();
    }
  }

  /**
   * What is to be announced; null while nothing is. Where applications differ, one of them wins.
   */
  private AnnounceRequest announcement() {
    Map<String, Announcement> sorted = new TreeMap<>(announced);
    if (sorted.isEmpty()) {
      return null;
    }
    Set<String> beside = new TreeSet<>();
    unprotected.values().forEach(beside::addAll);
    Set<String> listened = new TreeSet<>(sorted.keySet());
    listened.removeIf(application -> !sorted.get(application).listened());
    Announcement one = sorted.values().iterator().next();
    return AnnounceRequest.newBuilder()
        .setCaller(caller(one.route()))
        .setUrl(one.url())
        .addAllApplications(sorted.keySet())
        .setMode(one.mode())
        .setVersion(one.version())
        .setThreads(one.threads())
        .addAllUnprotected(beside)
        .addAllListened(listened)
        .build();
  }

  private Caller caller(String node) {
    return Caller.newBuilder()
        .setInstance(instance)
        .setSerial(StoreClient.nextSerial())
        .setNode(node)
        .build();
  }

  /** The figures of this moment; null while nobody gives any. */
  private Status status() {
    if (figures.isEmpty()) {
      return null;
    }
    Status.Builder status = Status.newBuilder();
    int busy = 0;
    int inFlight = 0;
    for (String application : new TreeSet<>(figures.keySet())) {
      ApplicationStatus one = ask(application);
      if (one != null) {
        busy += one.busy();
        inFlight += one.inFlight();
        status.addApplications(
            Status.Application.newBuilder()
                .setApplication(application)
                .setLocal(one.local())
                .setUndecodable(one.undecodable())
                .setRefused(one.refused())
                .setChangedInPlace(one.changedInPlace())
                .addAllClasses(one.classes()));
      }
    }
    return status.setBusy(busy).setInFlight(inFlight).build();
  }

  private ApplicationStatus ask(String application) {
    Supplier<ApplicationStatus> supplier = figures.get(application);
    try {
      return supplier == null ? null : supplier.get();
    } catch (RuntimeException broken) {
      LOG.error("The figures of " + application + " cannot be told", broken);
      return null;
    }
  }
}
