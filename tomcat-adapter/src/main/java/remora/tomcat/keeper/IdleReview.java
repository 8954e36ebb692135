package remora.tomcat.keeper;

import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.copy.Verdict;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Looks at sessions that nobody uses: those without a record end by this Tomcat's own clock, about
 * the others the store is asked, which alone decides.
 */
final class IdleReview {

  private static final Log log = LogFactory.getLog(IdleReview.class);

  private final Copies copies;
  private final Ends ends;
  private final Serving serving;
  private final Executor thread;
  private final AtomicBoolean due = new AtomicBoolean();

  /**
   * Reviews sessions.
   *
   * @param copies the sessions
   * @param ends tells those that have ended
   * @param serving knows who owes the store something
   * @param thread where the store is asked
   */
  IdleReview(Copies copies, Ends ends, Serving serving, Executor thread) {
    this.copies = copies;
    this.ends = ends;
    this.serving = serving;
    this.thread = thread;
  }

  /** Looks at all sessions, unless that is due already. */
  void reviewSoon() {
    if (due.compareAndSet(false, true)) {
      thread.execute(this::reviewAll);
    }
  }

  private void reviewAll() {
    due.set(false);
    boolean silent = false;
    for (Held held : copies.all()) {
      boolean asks = held.standing().epoch() != 0;
      if (held.live().isIdleTooLong(2 * Touches.COLLECTED_MILLIS) && !(asks && silent)) {
        try {
          review(held);
        } catch (StoreUnavailableException noAnswer) {
          silent = true; // the others that need its word wait for the next time
          log.debug("Idle sessions wait for the store", noAnswer);
        }
      }
    }
  }

  /** Asks about a session that nobody asks for, as only a socket uses it. */
  void askSoon(Held held) {
    thread.execute(
        () -> {
          Standing standing = held.standing();
          boolean ours = standing.epoch() != 0 && !held.copy().isLost();
          try {
            if (ours && !standing.life().isOver() && !isUnsettled(held)) {
              review(held);
            }
          } catch (StoreUnavailableException silent) {
            log.debug("A session with sockets is asked about when the store is back", silent);
          }
        });
  }

  private boolean isUnsettled(Held held) {
    return serving.owes(held) || held.pendingRename() != null;
  }

  private void review(Held held) {
    if (held.unknownSave() != null) {
      return; // whether it has a record is learned first
    } else if (held.standing().epoch() == 0) {
      held.happened(Life.Event.GONE);
    } else if (held.copy().isLost()) {
      held.happened(Life.Event.GONE_ELSEWHERE);
    } else if (copies.check(held) == Verdict.GONE) {
      held.happened(held.copy().endsHere() ? Life.Event.GONE : Life.Event.GONE_ELSEWHERE);
    } else {
      return;
    }
    ends.tellSoon(held);
  }
}
