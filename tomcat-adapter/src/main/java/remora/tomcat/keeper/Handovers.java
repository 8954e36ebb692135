package remora.tomcat.keeper;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.store.Push;

/**
 * What the store tells this Tomcat unasked: that it has lost a session, that one is gone, that a
 * record is newer. What it is offered goes to {@link Leavers}.
 *
 * <p>The news itself is noted at once, so that no look-up uses the copy from then on. The
 * acknowledgement, for which the next owner's claim waits, is given when no request that was given
 * the copy before runs the application's code any more, or has run it for as long as a handover
 * lasts. So a user who clicks one link after the other loses nothing that was changed after an
 * answer had begun to leave.
 */
final class Handovers {

  private static final Log log = LogFactory.getLog(Handovers.class);

  /** How long a request may go on with a session that another Tomcat wants. */
  static final long HANDOVER_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final Copies copies;
  private final Serving serving;
  private final Ends ends;
  private final Leavers leavers;
  private final Sockets sockets;
  private final Set<Waiting> waiting = ConcurrentHashMap.newKeySet();
  private final ScheduledExecutorService thread;

  Handovers(
      Copies copies,
      Serving serving,
      Ends ends,
      Leavers leavers,
      Sockets sockets,
      String application) {
    this.copies = copies;
    this.serving = serving;
    this.ends = ends;
    this.leavers = leavers;
    this.sockets = sockets;
    thread =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread made = new Thread(work, "remora-handovers-" + application);
              made.setDaemon(true);
              made.setContextClassLoader(Handovers.class.getClassLoader());
              return made;
            });
  }

  /** An eviction whose acknowledgement waits for requests. */
  private final class Waiting {
    private final Held held;
    private final Push push;
    private final long sinceNanos = System.nanoTime() - HANDOVER_NANOS;
    private final AtomicBoolean done = new AtomicBoolean();

    private Waiting(Held held, Push push) {
      this.held = held;
      this.push = push;
    }

    private void lookAgain() {
      if (!held.isVisited(sinceNanos) && !serving.owes(held)) {
        finish();
      }
    }

    private void finish() {
      if (done.compareAndSet(false, true)) {
        waiting.remove(this);
        held.happened(Life.Event.ACKNOWLEDGED);
        push.acknowledge();
      }
    }
  }

  /**
   * Takes a push in. On the stream's thread: quick, and asks nobody.
   *
   * @param push what the store says
   */
  void pushed(Push push) {
    if (push.kind() == Push.Kind.LEAVER) {
      leavers.offered(push);
      return;
    }
    Slot slot = copies.slot(push.key());
    if (slot == null) {
      push.acknowledge();
      return;
    }
    switch (push.kind()) {
      case OWNERSHIP_LOST:
        slot.endings().lose(push.epoch());
        later(() -> handOver(slot.held, push));
        return;
      case NEWER:
        slot.endings().newer(push.version());
        break;
      default:
        slot.endings().end(push.epoch());
        later(() -> ended(slot.held, push.epoch()));
        break;
    }
    push.acknowledge();
  }

  private void later(Runnable work) {
    try {
      thread.execute(work);
    } catch (RejectedExecutionException stopping) {
      log.debug("The manager stops and releases what it holds", stopping);
    }
  }

  private void handOver(Held held, Push push) {
    if (held == null || held.standing().epoch() != push.epoch()) {
      push.acknowledge();
      return;
    }
    held.happened(Life.Event.EVICTED);
    sockets.look(push.key(), System.nanoTime());
    Waiting eviction = new Waiting(held, push);
    waiting.add(eviction);
    for (Visit visit : held.visits()) {
      visit.onDeparture(() -> later(eviction::lookAgain));
    }
    eviction.lookAgain();
    if (!eviction.done.get()) {
      try {
        thread.schedule(eviction::finish, HANDOVER_NANOS, TimeUnit.NANOSECONDS);
      } catch (RejectedExecutionException stopping) {
        eviction.finish();
      }
    }
  }

  private void ended(Held held, long epoch) {
    Standing standing = held == null ? null : held.standing();
    if (standing != null && standing.epoch() == epoch && !standing.life().isOver()) {
      held.happened(Life.Event.GONE);
      ends.tellSoon(held);
    }
  }

  /**
   * Runs something later that waits for nothing and runs nothing of the application's.
   *
   * @param millis how much later
   * @param work what to run
   */
  void after(long millis, Runnable work) {
    try {
      thread.schedule(work, millis, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException stopping) {
      log.debug("The manager stops", stopping);
    }
  }

  void stop() {
    thread.shutdown();
    for (Waiting eviction : waiting) {
      eviction.finish();
    }
  }
}
