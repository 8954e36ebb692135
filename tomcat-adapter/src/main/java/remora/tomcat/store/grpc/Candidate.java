package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import java.net.InetSocketAddress;
import java.util.List;

/** A store node that may lead, and the attempt to find out. Used by the leader finder's thread. */
final class Candidate {

  /** First wait after a refusal or failure: an election takes a few hundred milliseconds. */
  private static final long WAIT_NANOS_MIN = 5_000_000L;

  /** Longest wait after a refusal: the node is alive and will know the leader soon. */
  private static final long REFUSED_WAIT_NANOS_MAX = 20_000_000L;

  /** Longest wait after a failed connection: the node is down, probably for longer. */
  private static final long FAILED_WAIT_NANOS_MAX = 250_000_000L;

  /**
   * Longest wait after a fault that no search cures: whoever cures it waits no longer, and the
   * store writes each refusal into its books.
   */
  private static final long HOPELESS_WAIT_NANOS_MAX = 2_000_000_000L;

  /** How long an attempt may take from connecting to welcome before it is begun afresh. */
  private static final long ATTEMPT_NANOS_MAX = 1_000_000_000L;

  /** The same for a learned address, which keeps the others waiting meanwhile. */
  private static final long LEARNED_ATTEMPT_NANOS_MAX = 300_000_000L;

  final String address;

  /** Whether the administrator named it; other addresses are learned from nodes. */
  final boolean configured;

  ManagedChannel channel;
  Link attempt;
  long nextTryNanos;

  /** Whether a look-up of its name is under way, for this attempt or one before. */
  boolean lookingUp;

  /** The cluster that it said it is, when it refused the one that was meant; null otherwise. */
  String cluster;

  /** Why it was of no use when it was asked last; for people. */
  String problem = "not asked yet";

  private boolean asking;
  private long begunNanos;
  private int connects;
  private long waitNanos = WAIT_NANOS_MIN;

  Candidate(String address, boolean configured, long nowNanos) {
    this.address = address;
    this.configured = configured;
    this.nextTryNanos = nowNanos;
  }

  /** An attempt begins: a look-up, a connection and a Hello, as far as each is needed. */
  void begin(long nowNanos) {
    asking = true;
    begunNanos = nowNanos;
  }

  boolean isAsking() {
    return asking;
  }

  /** When the present attempt, or the last one, began. */
  long begunNanos() {
    return begunNanos;
  }

  /** When the present attempt has taken too long. */
  long overdueNanos() {
    return begunNanos + patience();
  }

  long patience() {
    return configured ? ATTEMPT_NANOS_MAX : LEARNED_ATTEMPT_NANOS_MAX;
  }

  /** Where to connect to: the next of the addresses that its name stands for. */
  InetSocketAddress pick(List<InetSocketAddress> found) {
    return found.get(connects++ % found.size());
  }

  /** The leader was lost: try at once. */
  void hint(long nowNanos) {
    waitNanos = WAIT_NANOS_MIN;
    nextTryNanos = nowNanos;
  }

  /** Somebody says that it leads: cut its wait short, but do not hammer it. */
  void soon(long nowNanos) {
    long latest = nowNanos + REFUSED_WAIT_NANOS_MAX;
    if (nextTryNanos - latest > 0) {
      nextTryNanos = latest;
    }
  }

  /** The attempt was refused by a living node, which keeps its connection. */
  void refused(long nowNanos) {
    asking = false;
    attempt = null;
    waitAtMost(REFUSED_WAIT_NANOS_MAX, nowNanos);
  }

  /** The attempt failed; the connection is worth nothing. */
  void failed(long nowNanos) {
    attempt = null;
    disconnect();
    waitAtMost(FAILED_WAIT_NANOS_MAX, nowNanos);
  }

  /** The same, and the next attempt will fail, too, until somebody does something. */
  void hopeless(long nowNanos) {
    attempt = null;
    disconnect();
    waitAtMost(HOPELESS_WAIT_NANOS_MAX, nowNanos);
  }

  private void waitAtMost(long maxNanos, long nowNanos) {
    waitNanos = Math.min(waitNanos, maxNanos);
    nextTryNanos = nowNanos + waitNanos;
    waitNanos = Math.min(waitNanos * 2, maxNanos);
  }

  /** Drops attempt and connection, if there are any. */
  void disconnect() {
    asking = false;
    if (attempt != null) {
      attempt.cancel("another node leads, or this one is silent");
      attempt = null;
    }
    if (channel != null) {
      channel.shutdownNow();
      channel = null;
    }
  }
}
