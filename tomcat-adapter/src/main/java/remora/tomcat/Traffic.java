package remora.tomcat;

import java.util.concurrent.atomic.LongAdder;

/** How many requests an application has at hand: with a thread, and in all. Thread-safe. */
final class Traffic {

  private final LongAdder busy = new LongAdder();
  private final LongAdder inFlight = new LongAdder();

  /** A thread begins to serve a request. */
  void threadEnters() {
    busy.increment();
  }

  /** It has come back. */
  void threadLeaves() {
    busy.decrement();
  }

  /** A request begins. */
  void begins() {
    inFlight.increment();
  }

  /** Its answer is whole, or was cut. */
  void ends() {
    inFlight.decrement();
  }

  /**
   * Threads that serve requests now.
   *
   * @return a count
   */
  int busy() {
    return busy.intValue();
  }

  /**
   * Requests in flight, those without a thread included.
   *
   * @return a count
   */
  int inFlight() {
    return inFlight.intValue();
  }
}
