package remora.tomcat.store.grpc;

import java.util.concurrent.locks.LockSupport;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.tomcat.store.StoreRefusedException;

/**
 * One request and the thread that waits for its answer.
 *
 * <p>Answered at most once; a later answer to the same serial says the same and is dropped.
 */
final class Call {

  final Request request;
  private final Thread waiter;

  /** The group it was last sent in; written under the outbox's send lock. */
  volatile Group group;

  /** When the leader finder offers it again after a refusal; only that thread uses it. */
  long retryAtNanos;

  private volatile Reply reply;
  private volatile StoreRefusedException refused;
  private volatile boolean abandoned;

  Call(Request request, Thread waiter) {
    this.request = request;
    this.waiter = waiter;
  }

  long serial() {
    return request.getSerial();
  }

  void answer(Reply value) {
    reply = value;
    LockSupport.unpark(waiter);
  }

  void refuse(StoreRefusedException exception) {
    refused = exception;
    LockSupport.unpark(waiter);
  }

  void abandon() {
    abandoned = true;
  }

  /** The store is away: the caller is not to wait any longer. */
  void giveUp() {
    abandoned = true;
    LockSupport.unpark(waiter);
  }

  /** Whether a node may have received it. */
  boolean wasSent() {
    return group != null;
  }

  /** Whether nobody waits for it any more, so that it need not be sent again. */
  boolean isOver() {
    return abandoned || reply != null || refused != null;
  }

  /**
   * Parks the calling thread until the answer or the deadline. An interrupt is kept for later.
   *
   * @return the answer, or null when the time is up or the call is given up
   * @throws StoreRefusedException if the store refused for good
   */
  Reply await(long deadlineNanos) {
    boolean interrupted = false;
    try {
      while (!isOver()) {
        long left = deadlineNanos - System.nanoTime();
        if (left <= 0) {
          return null;
        }
        LockSupport.parkNanos(this, left);
        interrupted |= Thread.interrupted();
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
    if (refused != null) {
      throw refused;
    }
    return reply;
  }
}
