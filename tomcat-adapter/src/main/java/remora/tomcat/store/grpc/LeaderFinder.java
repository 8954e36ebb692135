package remora.tomcat.store.grpc;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.Hello;
import remora.proto.v1.Refusal;
import remora.proto.v1.Welcome;
import remora.tomcat.store.StoreOptions;

/**
 * Keeps one stream open to whoever leads the store.
 *
 * <p>While there is none, every configured node is asked at once and the first to say welcome wins:
 * so a dead or frozen node costs nothing but its own attempt. A stream is given up when it ends,
 * when the node says that it does not lead, and when the node is silent for longer than a leader
 * ever is.
 *
 * <p>One thread owns all that is here; others post events. The event queue is bounded by its
 * sources: one opening and one end per attempt, one retry per call.
 */
final class LeaderFinder implements Runnable {

  /** How long a search may last before the log hears of it: longer than any election. */
  private static final long COMPLAINT_NANOS = 2_000_000_000L;

  /** A stream that lasted this long was no mistake; its loss is worth a line in the log. */
  private static final long STEADY_NANOS = 1_000_000_000L;

  /** Nodes worth knowing; hints from nodes could otherwise grow the list without end. */
  private static final int CANDIDATES_MAX = 16;

  /** Longest the thread sleeps without an event, so that a missed wake-up cannot stick. */
  private static final long SLEEP_NANOS_MAX = 1_000_000_000L;

  private static final Log LOG = LogFactory.getLog(LeaderFinder.class);

  private final Outbox outbox;
  private final Link.Events streamEvents;
  private final Hello hello;
  private final Channels channels = new Channels();
  private final LinkedBlockingQueue<Runnable> events = new LinkedBlockingQueue<>();
  private final Map<String, Candidate> candidates = new LinkedHashMap<>();
  private final PriorityQueue<Call> retries =
      new PriorityQueue<>(Comparator.comparingLong((Call call) -> call.retryAtNanos));
  private String cluster = "";
  private boolean stopped;
  private boolean complained;
  private boolean announce = true;
  private long lostNanos = System.nanoTime();
  private volatile String lastProblem = "no store node has answered yet";

  /** What nodes said that no search cures, since one was last of use; each is logged once. */
  private final Set<String> refusals = new LinkedHashSet<>();

  /** One of those; null while there is none. */
  private volatile String refusedForGood;

  LeaderFinder(Iterable<String> addresses, Hello hello, Outbox outbox, Link.Events streamEvents) {
    this.outbox = outbox;
    this.hello = hello;
    this.streamEvents = streamEvents;
    for (String address : addresses) {
      candidates.put(address, new Candidate(address, true, System.nanoTime()));
    }
  }

  /** Why there is no leader, or what went wrong last; for people. */
  String lastProblem() {
    String forGood = refusedForGood;
    return forGood == null ? lastProblem : forGood;
  }

  /** The node answered the Hello. */
  void opened(Link link, Welcome welcome) {
    events.add(() -> onOpened(link, welcome));
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

  /** Ends the thread and closes every connection. */
  void stop() {
    events.add(() -> stopped = true);
  }

  @Override
  public void run() {
    while (!stopped) {
      long now = System.nanoTime();
      offerRetries(now);
      Link link = outbox.link();
      if (link == null) {
        ask(now);
      } else if (now - link.silentAtNanos() > 0) {
        onLeave(link, "", link.address + " is silent");
        continue;
      }
      await(nextDue(now) - now);
    }
    candidates.values().forEach(Candidate::disconnect);
    channels.close();
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
    if (!complained && now - lostNanos > COMPLAINT_NANOS) {
      complained = true;
      LOG.warn(
          "session store: no node leads or can be reached; the last problem: " + lastProblem());
    }
    for (Candidate candidate : candidates.values()) {
      if (candidate.attempt != null && now - candidate.attempt.begunNanos > candidate.patience()) {
        lastProblem = candidate.address + " accepts connections but does not answer";
        candidate.disconnect();
        candidate.failed(now);
      }
    }
    for (Candidate candidate : candidates.values()) {
      if (candidate.attempt == null && candidate.nextTryNanos - now <= 0 && mayAsk(candidate)) {
        open(candidate);
      }
    }
  }

  /**
   * Configured nodes are asked all at once. A learned address may be another name of one of them,
   * and a node cuts the older of two streams of one instance; so it is asked by itself.
   */
  private boolean mayAsk(Candidate next) {
    for (Candidate other : candidates.values()) {
      if (other.attempt != null && (!next.configured || !other.configured)) {
        return false;
      }
    }
    return true;
  }

  private void open(Candidate candidate) {
    if (candidate.channel == null) {
      int millis = (int) TimeUnit.NANOSECONDS.toMillis(candidate.patience());
      candidate.channel = channels.connect(candidate.address, millis);
    }
    Hello named = hello.toBuilder().setCluster(cluster).build();
    candidate.attempt = Link.open(candidate.address, candidate.channel, named, streamEvents);
  }

  private long nextDue(long now) {
    long due = now + SLEEP_NANOS_MAX;
    if (!retries.isEmpty()) {
      due = Math.min(due, retries.peek().retryAtNanos);
    }
    Link link = outbox.link();
    if (link != null) {
      return Math.min(due, link.silentAtNanos() + 1);
    }
    for (Candidate candidate : candidates.values()) {
      if (candidate.attempt != null) {
        due = Math.min(due, candidate.attempt.begunNanos + candidate.patience() + 1);
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
    refusals.clear();
    refusedForGood = null;
    lastProblem = link.address + " leads but did not answer";
    long now = System.nanoTime();
    welcome.getNodesList().forEach(address -> learn(address, now));
    for (Candidate other : new ArrayList<>(candidates.values())) {
      if (other != winner) {
        other.disconnect();
        other.hint(now);
      }
    }
    if (announce) {
      LOG.info("session store: " + link.address + " leads");
    }
    announce = false;
    outbox.attach(link);
  }

  private void onClosed(Link link, Refusal refusal, String text) {
    Candidate candidate = candidates.get(link.address);
    if (candidate == null || candidate.attempt != link) {
      return;
    }
    lastProblem = text;
    boolean wasUsed = outbox.detach(link);
    long now = System.nanoTime();
    if (refusal == null) {
      candidate.failed(now);
    } else if (refusal.getReason() == Refusal.Reason.REASON_WRONG_CLUSTER
        || refusal.getReason() == Refusal.Reason.REASON_WRONG_VERSION) {
      candidate.failed(now);
      complainOnce(text);
    } else {
      candidate.refused(now);
      follow(refusal.getLeader(), now);
    }
    if (wasUsed) {
      lost(link, text, now);
      askAllAtOnce(candidate, now);
    }
  }

  /** Other nodes go on saying that they do not lead; this is what a person must know. */
  private void complainOnce(String text) {
    refusedForGood = text;
    if (refusals.size() < CANDIDATES_MAX && refusals.add(text)) {
      LOG.error("session store: " + text);
    }
  }

  private void onLeave(Link link, String leader, String text) {
    if (!outbox.detach(link)) {
      return;
    }
    lastProblem = text;
    long now = System.nanoTime();
    Candidate candidate = candidates.get(link.address);
    candidate.disconnect();
    candidate.refused(now);
    follow(leader, now);
    askAllAtOnce(candidate, now);
    lost(link, text, now);
  }

  /** Streams that end soon after they began are one outage: logged at its beginning only. */
  private void lost(Link link, String text, long now) {
    if (now - link.begunNanos > STEADY_NANOS) {
      lostNanos = now;
      complained = false;
      announce = true;
      LOG.warn("session store: lost the leader (" + text + "); asking the other nodes");
    }
  }

  private void askAllAtOnce(Candidate but, long now) {
    for (Candidate candidate : candidates.values()) {
      if (candidate != but && candidate.attempt == null) {
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
