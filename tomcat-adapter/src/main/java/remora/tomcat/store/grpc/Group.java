package remora.tomcat.store.grpc;

import java.util.concurrent.atomic.AtomicInteger;

/** The requests of one message on one stream, until the last of them is answered. */
final class Group {

  final Link link;

  /** When its message was put together. */
  final long sentNanos = System.nanoTime();

  private final AtomicInteger unanswered;

  Group(Link link, int size) {
    this.link = link;
    this.unanswered = new AtomicInteger(size);
  }

  /** Counts one answer; true for the last, which makes room on the stream. */
  boolean answeredLast() {
    return unanswered.decrementAndGet() == 0;
  }
}
