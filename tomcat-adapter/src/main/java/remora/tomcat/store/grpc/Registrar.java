package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import remora.proto.v1.AnnounceReply;
import remora.proto.v1.AnnounceRequest;
import remora.proto.v1.Caller;
import remora.proto.v1.Refusal;
import remora.proto.v1.RegistryGrpc;
import remora.proto.v1.RetireReply;
import remora.proto.v1.RetireRequest;
import remora.proto.v1.Welcome;
import remora.tomcat.store.Announcement;
import remora.tomcat.store.StoreOptions;

/**
 * What this Tomcat says of itself to the store's registry: the announcements of its applications,
 * together. When it is said is decided by its {@link RegistryEntry}.
 *
 * <p>What is announced may be changed on any thread; all else is the leader finder's thread's.
 */
final class Registrar {

  /** Longest call: a retirement is answered within a second, and an announcement sooner. */
  static final long CALL_SECONDS_MAX = 5;

  private final Map<String, Announcement> announced = new ConcurrentHashMap<>();
  private final Map<String, Set<String>> unprotected = new ConcurrentHashMap<>();

  private final long instance;

  /** Whether other machines are known to belong to the site. */
  private final boolean elsewhere;

  private final Executor finder;
  private final RegistrarLog log = new RegistrarLog();
  private final RegistryEntry entry = new RegistryEntry(System.nanoTime());
  private final OwnAddress own = new OwnAddress(Registrar::isOurs);
  private final List<CountDownLatch> leaving = new ArrayList<>();

  /** The newest announcement's call; null before there is one. */
  private Ended<AnnounceRequest, AnnounceReply> announcing;

  /** What is to be announced; null for nothing. */
  private AnnounceRequest wanted;

  /** The name under which it was announced last. */
  private String saidAs;

  private String cluster = "";

  /**
   * Says nothing yet.
   *
   * @param instance who this Tomcat is
   * @param options what it is called until it is announced, and where the store is
   * @param finder the thread of the leader finder
   */
  Registrar(long instance, StoreOptions options, Executor finder) {
    this.instance = instance;
    this.elsewhere = options.areElsewhere();
    this.saidAs = options.node();
    this.finder = finder;
  }

  void announce(Announcement announcement) {
    announced.put(announcement.application(), announcement);
    finder.execute(
        () -> {
          entry.returns(System.nanoTime());
          review();
        });
  }

  void announceUnprotected(String host, Set<String> applications) {
    unprotected.put(host, applications);
    finder.execute(this::review);
  }

  /** An application is not served here any more. */
  void forget(String application) {
    if (announced.remove(application) != null) {
      finder.execute(this::review);
    }
  }

  /**
   * This Tomcat is about to stop: takes it out, if the store holds it, and announces it no more. It
   * does not wait for an announcement that is under way: whoever stops waits less long.
   *
   * @return reaches zero as soon as it is out
   */
  CountDownLatch leave() {
    CountDownLatch out = new CountDownLatch(1);
    finder.execute(
        () -> {
          leaving.add(out);
          entry.leaves(System.nanoTime());
          if (announcing != null) {
            announcing.giveUp();
          }
          lookWhetherOut();
        });
    return out;
  }

  private void lookWhetherOut() {
    if (entry.isOut()) {
      leaving.forEach(CountDownLatch::countDown);
      leaving.clear();
    }
  }

  /** A stream to a leader begins; on the finder's thread, as all below. */
  void meets(Link link, Welcome welcome) {
    own.speaksFrom(link.local());
    long now = System.nanoTime();
    if (cluster.isEmpty() || cluster.equals(welcome.getCluster())) {
      entry.meets(welcome.getAnnounced(), now);
    } else {
      entry.meetsAnother(welcome.getAnnounced(), now);
    }
    cluster = welcome.getCluster();
    review();
    lookWhetherOut();
  }

  /** What is to be announced may be another than before. */
  private void review() {
    AnnounceRequest now = announcement();
    if (Objects.equals(now, wanted)) {
      return;
    }
    wanted = now;
    if (now == null) {
      entry.wantsNothing(System.nanoTime());
    } else {
      entry.wants(!now.getCaller().getNode().equals(saidAs), System.nanoTime());
    }
  }

  /**
   * Says what is due to be said.
   *
   * @return when there may be more to say; else the given time
   */
  long tell(ManagedChannel leader, long nowNanos, long elseNanos) {
    RegistryEntry.Telling word = entry.next(nowNanos);
    if (word != RegistryEntry.Telling.NOTHING) {
      RegistryGrpc.RegistryStub registry =
          RegistryGrpc.newStub(leader).withDeadlineAfter(CALL_SECONDS_MAX, TimeUnit.SECONDS);
      if (word == RegistryEntry.Telling.ANNOUNCE) {
        saidAs = wanted.getCaller().getNode();
        announcing = new Ended<>();
        registry.announce(wanted.toBuilder().setCaller(caller(saidAs)).build(), announcing);
      } else {
        registry.retire(
            RetireRequest.newBuilder().setCaller(caller(saidAs)).build(),
            new Ended<RetireRequest, RetireReply>());
      }
    }
    return entry.dueNanos(elseNanos);
  }

  /** Hears of the end of a call, and says so to the finder's thread. */
  private final class Ended<Q, A> implements ClientResponseObserver<Q, A> {

    private ClientCallStreamObserver<Q> call;

    @Override
    public void beforeStart(ClientCallStreamObserver<Q> begins) {
      call = begins;
    }

    /** Ends the call if it has not ended yet: then nobody knows what came of it. */
    void giveUp() {
      call.cancel("this Tomcat leaves", null);
    }

    @Override
    public void onNext(A reply) {}

    @Override
    public void onError(Throwable error) {
      finder.execute(() -> failed(error));
    }

    @Override
    public void onCompleted() {
      finder.execute(
          () -> {
            entry.answered();
            log.answered(entry.state() == RegistryEntry.State.STANDS);
            lookWhetherOut();
          });
    }
  }

  private void failed(Throwable error) {
    Refusal refusal = Link.refusalIn(Status.trailersFromThrowable(error));
    Status status = Status.fromThrowable(error);
    String forGood = RegistrarLog.forGood(status, refusal);
    if (forGood != null) {
      entry.refused(System.nanoTime());
      log.refused(forGood);
    } else if (entry.broke(System.nanoTime())) {
      log.refused(refusal == null ? Link.describe(status) : refusal.getMessage());
    }
    lookWhetherOut();
  }

  /** What is to be announced; null while nothing is, or nobody has been met to tell it to. */
  private AnnounceRequest announcement() {
    Map<String, Announcement> sorted = new TreeMap<>(announced);
    String host = own.literal();
    if (sorted.isEmpty() || host == null) {
      return null;
    }
    Set<String> beside = new TreeSet<>();
    unprotected.values().forEach(beside::addAll);
    Set<String> listened = new TreeSet<>(sorted.keySet());
    listened.removeIf(application -> !sorted.get(application).listened());
    Announcement one = sorted.values().iterator().next();
    log.speakingFor(one, sorted.values());
    if (elsewhere && one.isOnLoopback(host)) {
      log.onLoopback(one.url(host));
    }
    return AnnounceRequest.newBuilder()
        .setCaller(Caller.newBuilder().setNode(one.route()))
        .setUrl(one.url(host))
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

  private static boolean isOurs(InetAddress address) {
    try {
      return NetworkInterface.getByInetAddress(address) != null;
    } catch (SocketException nobodyKnows) {
      return true;
    }
  }
}
