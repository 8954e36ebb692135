package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.Hello;
import remora.proto.v1.Refusal;
import remora.proto.v1.Welcome;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreState;

/**
 * Keeps one stream open to whoever leads the store.
 *
 * <p>While there is none, every configured node is asked at once and the first to say welcome wins:
 * so a dead or frozen node costs nothing but its own attempt. A stream is given up when it ends,
 * when the node says that it does not lead, and when the node is silent for longer than a leader
 * ever is.
 *
 * <p>One thread owns all that is here; others post events. The event queue is bounded by its
 * sources: one opening and one end per attempt, one retry per call, one for each word of what this
 * Tomcat serves.
 */
final class LeaderFinder implements Runnable, Executor {

  /** What the search does to those who wait; called on the finder's thread. */
  interface Around extends Link.Events {
    /** The words of the next Hello, but for the cluster and the connection. */
    Hello hello();

    /** Whether this process stood still since a moment. */
    boolean pausedSince(long nanos);

    /** How long the store is sought before it is away. */
    long timeoutNanos();

    /** The stream is in use from now on; called before anything is sent on it but the Hello. */
    void welcomed(Link link, Welcome welcome);

    /**
     * A leader stands, and this is the connection to it; called at least once a second.
     *
     * @return when to call again at the latest; else the given time
     */
    long leads(ManagedChannel leader, long nowNanos, long elseNanos);

    /** The store stands otherwise than before; {@link LeaderFinder#state} says so already. */
    void stateChanged(StoreState state);
  }

  /** Nodes worth knowing; hints from nodes could otherwise grow the list without end. */
  static final int CANDIDATES_MAX = 16;

  /** Longest sleep while the store is sought, so that the search knows a pause from waiting. */
  private static final long SEEKING_SLEEP_NANOS_MAX = 250_000_000L;

  /** Longest the thread sleeps without an event, so that a missed wake-up cannot stick. */
  private static final long SLEEP_NANOS_MAX = 1_000_000_000L;

  private static final String SILENT = "it accepts connections but does not answer";

  private static final Log LOG = LogFactory.getLog(LeaderFinder.class);

  private final Outbox outbox;
  private final Around around;
  private final Outage outage;
  private final LeaderLog log = new LeaderLog();
  private final Channels channels;
  private final LinkedBlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final Map<String, Candidate> candidates = new LinkedHashMap<>();
  private final PriorityQueue<Call> retries =
      new PriorityQueue<>(Comparator.comparingLong((Call call) -> call.retryAtNanos));
  private String cluster = "";
  private boolean stopped;
  private long stepNanos = System.nanoTime();
  private volatile StoreState state;
  private String lastLoss = "";
  private volatile String lastProblem;

  /** What a node said that no search cures; null while there is nothing. */
  private volatile String refusedForGood;

  LeaderFinder(StoreOptions options, Outbox outbox, Around around) {
    List<String> addresses = options.addresses();
    this.channels = new Channels(options);
    this.outbox = outbox;
    this.around = around;
    this.outage = new Outage(addresses, stepNanos);
    this.state = outage.state();
    this.lastProblem = "no store node has answered yet of " + String.join(", ", addresses);
    for (String address : addresses) {
      candidates.put(address, new Candidate(address, true, stepNanos));
    }
  }

  /** How the store stands. */
  StoreState state() {
    return state;
  }

  /** Why there is no leader, or what went wrong last; for people. */
  String lastProblem() {
    String forGood = refusedForGood;
    return forGood == null ? lastProblem : forGood;
  }

  /** What came of each address; for people. */
  private String asked() {
    return candidates.values().stream()
        .map(candidate -> candidate.address + ": " + candidate.problem)
        .collect(Collectors.joining("; "));
  }

  /** The node answered the Hello. */
  void opened(Link link, Welcome welcome) {
    events.add(() -> onOpened(link, welcome));
  }

  /** A majority stands behind the stream. */
  void proven(Link link) {
    events.add(() -> onProven(link));
  }

  /** A stream ended. */
  void closed(Link link, Refusal refusal, String text) {
    events.add(() -> onClosed(link, refusal, text));
  }

  /** A node said within its stream that it cannot serve; `leader` may be empty. */
  void leave(Link link, String leader, String text) {
    events.add(() -> onLeave(link, leader, text));
  }

  /** Offer this call again after a while. The text says why, for people. */
  void retry(Call call, long waitNanos, String text) {
    events.add(
        () -> {
          lastProblem = text;
          call.retryAtNanos = System.nanoTime() + waitNanos;
          retries.add(call);
        });
  }

  /** A node refused a request for want of a right; the stream goes on. */
  void forbidden(Link link, String text) {
    events.add(() -> log.refusedForGood(link.address + ": " + LastingFaults.forbidden(text)));
  }

  /** Runs something on the finder's thread, soon and in order; it must not block. */
  @Override
  public void execute(Runnable event) {
    events.add(event);
  }

  /** Ends the thread and closes every connection. */
  void stop() {
    events.add(() -> stopped = true);
  }

  @Override
  public void run() {
    while (!stopped) {
      long now = System.nanoTime();
      step(now);
      offerRetries(now);
      long due = now + SLEEP_NANOS_MAX;
      Link link = outbox.link();
      if (link == null) {
        ask(now);
      } else if (link.patienceNanos(now) < 0) {
        onLeave(link, "", "it or its majority is silent");
        continue;
      } else {
        outbox.pump(); // the probe of a stream that nobody uses
        if (outage.isOver()) {
          due = around.leads(candidates.get(link.address).channel, now, due);
        }
      }
      await(Math.min(nextDue(now) - now, due - now));
    }
    candidates.values().forEach(Candidate::disconnect);
    channels.close();
  }

  private void step(long now) {
    outage.step(now, around.pausedSince(stepNanos), around.timeoutNanos());
    stepNanos = now;
    if (!outage.isOver()) {
      log.searching(outage.soughtNanos(), this::asked);
    }
    StoreState stands = outage.state();
    if (stands != state) {
      state = stands;
      around.stateChanged(stands);
      if (stands.kind() == StoreState.Kind.AWAY) {
        outbox.giveUpWaiting();
        retries.forEach(Call::giveUp);
      }
    }
  }

  private void await(long nanos) {
    try {
      Runnable event = events.poll(Math.max(nanos, 0), TimeUnit.NANOSECONDS);
      while (event != null) {
        event.run();
        event = events.poll();
      }
    } catch (InterruptedException nobodyElsesThread) {
      LOG.debug("the store's leader finder was interrupted and goes on", nobodyElsesThread);
    }
  }

  private void offerRetries(long now) {
    while (!retries.isEmpty() && retries.peek().retryAtNanos - now <= 0) {
      Call call = retries.poll();
      if (!call.isOver()) {
        outbox.offer(call);
      }
    }
  }

  private void ask(long now) {
    for (Candidate candidate : candidates.values()) {
      if (candidate.isAsking() && now - candidate.overdueNanos() > 0) {
        failed(candidate, candidate.lookingUp ? "its name takes long to resolve" : SILENT, now);
      }
    }
    for (Candidate candidate : candidates.values()) {
      if (!candidate.isAsking() && candidate.nextTryNanos - now <= 0 && mayAsk(candidate)) {
        open(candidate, now);
      }
    }
  }

  private void failed(Candidate candidate, String problem, long now) {
    attempted(candidate, problem);
    candidate.failed(now);
  }

  /** The attempt that has ended will end so again, until somebody does something. */
  private void hopeless(Candidate candidate, long now) {
    candidate.hopeless(now);
    refusedForGood = lastProblem;
    log.refusedForGood(lastProblem);
  }

  /** An attempt, or a stream that came of it, has ended; a confirmed one counts for nothing. */
  private void attempted(Candidate candidate, String problem) {
    candidate.problem = problem;
    lastProblem = candidate.address + ": " + problem;
    outage.attempted(candidate.address, candidate.begunNanos());
  }

  /**
   * Configured nodes are asked all at once. A learned address may be another name of one of them,
   * and a node cuts the older of two streams of one instance; so it is asked by itself.
   */
  private boolean mayAsk(Candidate next) {
    for (Candidate other : candidates.values()) {
      if (other.isAsking() && (!next.configured || !other.configured)) {
        return false;
      }
    }
    return true;
  }

  private void open(Candidate candidate, long now) {
    candidate.begin(now);
    if (candidate.channel != null) {
      greet(candidate);
    } else if (!candidate.lookingUp) {
      candidate.lookingUp = true;
      channels.lookUp(candidate.address, found -> events.add(() -> onLookedUp(candidate, found)));
    }
  }

  private void onLookedUp(Candidate candidate, List<InetSocketAddress> found) {
    candidate.lookingUp = false;
    if (stopped || !candidate.isAsking() || candidate.channel != null) {
      return;
    }
    if (found.isEmpty()) {
      failed(candidate, "the name does not resolve", System.nanoTime());
      return;
    }
    InetSocketAddress where = candidate.pick(found);
    String forbidden = channels.forbids(candidate.address, where);
    if (forbidden != null) {
      attempted(candidate, forbidden);
      hopeless(candidate, System.nanoTime());
      return;
    }
    int millis = (int) TimeUnit.NANOSECONDS.toMillis(candidate.patience());
    try {
      candidate.channel = channels.connect(candidate.address, where, millis);
    } catch (IllegalArgumentException noName) {
      failed(candidate, noName.getMessage(), System.nanoTime());
      return;
    }
    greet(candidate);
  }

  private void greet(Candidate candidate) {
    String meant = candidate.cluster == null ? cluster : candidate.cluster;
    Hello hello = around.hello().toBuilder().setCluster(meant).build();
    candidate.attempt = Link.open(candidate.address, candidate.channel, hello, around);
  }

  private long nextDue(long now) {
    long due = now + (outage.isOver() ? SLEEP_NANOS_MAX : SEEKING_SLEEP_NANOS_MAX);
    if (!retries.isEmpty()) {
      due = Math.min(due, retries.peek().retryAtNanos);
    }
    Link link = outbox.link();
    if (link != null) {
      return Math.min(due, now + link.patienceNanos(now) + 1);
    }
    for (Candidate candidate : candidates.values()) {
      if (candidate.isAsking()) {
        due = Math.min(due, candidate.overdueNanos() + 1);
      } else if (mayAsk(candidate)) {
        due = Math.min(due, candidate.nextTryNanos);
      }
    }
    return due;
  }

  private void onOpened(Link link, Welcome welcome) {
    Candidate winner = candidates.get(link.address);
    if (stopped || winner == null || winner.attempt != link || outbox.link() != null) {
      link.cancel("this stream is not needed");
      return;
    }
    cluster = welcome.getCluster();
    candidates.values().forEach(candidate -> candidate.cluster = null);
    refusedForGood = null;
    lastProblem = link.address + " leads but did not answer";
    winner.problem = "it leads but did not answer";
    long now = System.nanoTime();
    welcome.getNodesList().forEach(address -> learn(address, now));
    for (Candidate other : new ArrayList<>(candidates.values())) {
      if (other != winner) {
        other.disconnect();
        other.hint(now);
      }
    }
    outage.welcomed(now);
    around.welcomed(link, welcome);
    outbox.attach(link);
  }

  private void onProven(Link link) {
    if (outbox.link() == link) {
      long now = System.nanoTime();
      log.led(link.address, now, now - outage.beganNanos(), lastLoss);
      outage.confirmed(now);
    }
  }

  private void onClosed(Link link, Refusal refusal, String text) {
    Candidate candidate = candidates.get(link.address);
    if (candidate == null || candidate.attempt != link) {
      return;
    }
    boolean wasUsed = outbox.detach(link);
    long now = System.nanoTime();
    attempted(candidate, text);
    if (link.endedForGood()) {
      hopeless(candidate, now);
    } else if (refusal == null) {
      candidate.failed(now);
    } else if (isAnotherCluster(candidate, refusal)) {
      candidate.cluster = refusal.getCluster();
      candidate.refused(now);
      log.anotherCluster(lastProblem);
    } else if (refusal.getReason() == Refusal.Reason.REASON_WRONG_CLUSTER
        || refusal.getReason() == Refusal.Reason.REASON_WRONG_VERSION) {
      hopeless(candidate, now);
    } else {
      candidate.refused(now);
      follow(refusal.getLeader(), now);
    }
    if (wasUsed) {
      lost(link, now);
      askAllAtOnce(candidate, now);
    }
  }

  /**
   * Whether the store behind an address was set up anew or restored. It is taken at its word, and
   * only a leader welcomes: copies are trusted by the stream alone, so nothing that is kept of the
   * cluster before counts any more, and what changed is handed over as after any outage.
   */
  private static boolean isAnotherCluster(Candidate candidate, Refusal refusal) {
    return refusal.getReason() == Refusal.Reason.REASON_WRONG_CLUSTER
        && !refusal.getCluster().isEmpty()
        && !refusal.getCluster().equals(candidate.cluster);
  }

  private void onLeave(Link link, String leader, String problem) {
    if (!outbox.detach(link)) {
      return;
    }
    long now = System.nanoTime();
    Candidate candidate = candidates.get(link.address);
    attempted(candidate, problem);
    candidate.disconnect();
    candidate.refused(now);
    follow(leader, now);
    askAllAtOnce(candidate, now);
    lost(link, now);
  }

  private void lost(Link link, long now) {
    lastLoss = lastProblem;
    outage.lost(now, around.pausedSince(link.provenNanos()));
  }

  private void askAllAtOnce(Candidate but, long now) {
    for (Candidate candidate : candidates.values()) {
      if (candidate != but && !candidate.isAsking()) {
        candidate.hint(now);
      }
    }
  }

  /** A refusal named the leader: do not let it wait long, even if it failed lately. */
  private void follow(String leader, long now) {
    learn(leader, now);
    Candidate named = candidates.get(leader);
    if (named != null) {
      named.soon(now);
    }
  }

  private void learn(String address, long now) {
    if (!candidates.containsKey(address)
        && candidates.size() < CANDIDATES_MAX
        && StoreOptions.isAddress(address)) {
      candidates.put(address, new Candidate(address, false, now));
    }
  }
}
