package remora.tomcat.store.grpc;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import remora.proto.v1.ExchangeRequest;
import remora.proto.v1.Reply;
import remora.proto.v1.Status;

/**
 * What waits to be sent, and the sending of it.
 *
 * <p>Whoever adds a call, receives the last answer of a group or hears that the transport has room
 * tries to become the sender; the sender sends all that waits. While few groups are in flight
 * ({@link GroupWindow}) a call leaves at once and alone; under pressure calls collect and leave
 * together. No timer, no thread of its own.
 *
 * <p>Invariant: every call that is not over is in exactly one place: the waiting queue, the current
 * link's {@code inFlight}, or the leader finder's retry queue. Its bound is the number of threads
 * that can wait.
 */
final class Outbox {

  /** Requests in one message; bounds the time for which one message holds the stream. */
  static final int GROUP_REQUESTS_MAX = 256;

  /**
   * Bytes after which a group is closed; with the largest request still under the message limit.
   */
  static final int GROUP_BYTES_MAX = 512 * 1024;

  /** Threads that wait for answers: far more than Tomcat has, and still a bound. */
  static final int CALLS_MAX = 20_000;

  private final Queue<Call> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicInteger calls = new AtomicInteger();
  private final ReentrantLock sendLock = new ReentrantLock();
  private final Watches watches;

  /** How this Tomcat fares, until a message takes it along; null while nobody has said. */
  private volatile Status status;

  /** The stream in use, or null. Written under the send lock. */
  private volatile Link link;

  Outbox(Watches watches) {
    this.watches = watches;
  }

  /** The stream in use, or null while there is none. */
  Link link() {
    return link;
  }

  /** Figures to go with the next message that leaves for another reason. */
  void tell(Status figures) {
    status = figures;
  }

  /** Counts a thread in that waits for an answer; false when so many do already. */
  boolean enter(int callsMax) {
    if (calls.incrementAndGet() > callsMax) {
      calls.decrementAndGet();
      return false;
    }
    return true;
  }

  void leave() {
    calls.decrementAndGet();
  }

  boolean isIdle() {
    return calls.get() == 0;
  }

  /** Queues a call, or one that was refused and is due again, and sends if there is room. */
  void offer(Call call) {
    waiting.add(call);
    pump();
  }

  /** Queues the acknowledgement of a push of this stream; worth nothing once it is not used. */
  void acknowledge(Link from, long push) {
    from.acknowledgements.add(push);
    pump();
  }

  /** Uses this stream from now on, beginning with all that waits. */
  void attach(Link opened) {
    sendLock.lock();
    try {
      link = opened;
      watches.sayAnew();
    } finally {
      sendLock.unlock();
    }
    pump();
  }

  /**
   * Stops using a stream; what it has not answered waits again, oldest first. False if not used.
   */
  boolean detach(Link closed) {
    sendLock.lock();
    try {
      if (link != closed) {
        return false;
      }
      link = null;
      List<Call> unanswered = new ArrayList<>(closed.inFlight.values());
      closed.inFlight.clear();
      for (Call call = waiting.poll(); call != null; call = waiting.poll()) {
        unanswered.add(call);
      }
      unanswered.sort(Comparator.comparingLong(Call::serial));
      waiting.addAll(unanswered);
      return true;
    } finally {
      sendLock.unlock();
    }
  }

  /** Finds the call that a reply answers and makes room. Null if it was given up or moved on. */
  Call answered(Link from, Reply reply) {
    Call call = from.inFlight.remove(reply.getSerial());
    if (call != null && call.group.answeredLast()) {
      long now = System.nanoTime();
      from.window.answered(now - call.group.sentNanos, !waiting.isEmpty(), now);
      makeRoom(from);
    }
    return call;
  }

  /** Nobody waits for this call any more. */
  void abandon(Call call) {
    call.abandon();
    Group group = call.group;
    if (group != null && group.link.inFlight.remove(call.serial(), call) && group.answeredLast()) {
      makeRoom(group.link);
    }
    waiting.remove(call);
  }

  /** Sends nobody's call any more who waits for a stream. */
  void giveUpWaiting() {
    waiting.forEach(Call::giveUp);
  }

  private void makeRoom(Link on) {
    on.groupsInFlight.decrementAndGet();
    pump();
  }

  /** Sends while there is something to send and room for it, unless another thread does. */
  void pump() {
    while (hasWork() && sendLock.tryLock()) {
      try {
        sendAll();
      } finally {
        sendLock.unlock();
      }
    }
  }

  private boolean hasWork() {
    Link current = link;
    return current != null
        && ((!waiting.isEmpty() && hasRoom(current))
            || current.isProbeDue()
            || current.owesReading()
            || !current.acknowledgements.isEmpty()
            || watches.isUnsaid())
        && current.isReady(); // last, as it takes a lock of the transport's
  }

  private static boolean hasRoom(Link current) {
    return current.groupsInFlight.get() < current.window.limit();
  }

  private void sendAll() {
    while (hasWork()) {
      ExchangeRequest.Builder message = ExchangeRequest.newBuilder();
      Link current = link;
      for (Long push = current.acknowledgements.poll();
          push != null;
          push = current.acknowledgements.poll()) {
        message.addAcknowledged(push);
      }
      watches.say(message);
      if (hasRoom(current)) {
        collect(current, message);
      }
      boolean probes = current.isProbeDue();
      if (probes) {
        current.addProbe(message);
      }
      if (probes
          || current.owesReading()
          || message.getRequestsCount() > 0
          || message.getAcknowledgedCount() > 0
          || message.getWatchedCount() > 0
          || message.getUnwatchedCount() > 0) {
        Status figures = status;
        if (figures != null) {
          message.setStatus(figures);
          status = null;
        }
        current.send(message);
      }
    }
  }

  private void collect(Link current, ExchangeRequest.Builder message) {
    List<Call> picked = new ArrayList<>();
    int bytes = 0;
    while (picked.size() < GROUP_REQUESTS_MAX && bytes < GROUP_BYTES_MAX) {
      Call call = waiting.poll();
      if (call == null) {
        break;
      }
      if (!call.isOver()) {
        picked.add(call);
        bytes += call.request.getSerializedSize();
        message.addRequests(call.request);
      }
    }
    if (picked.isEmpty()) {
      return;
    }
    Group group = new Group(current, picked.size());
    current.groupsInFlight.incrementAndGet();
    for (Call call : picked) {
      call.group = group;
      current.inFlight.put(call.serial(), call);
    }
  }
}
