package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongFunction;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Asked;
import remora.tomcat.copy.Copy;
import remora.tomcat.copy.Draft;
import remora.tomcat.copy.Encoding;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Verdict;
import remora.tomcat.copy.Witness;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Lets an answer leave only when the store has everything of a session that its request has seen.
 *
 * <p>First the request encodes, holding nothing: what it has seen changed and nobody has encoded
 * yet, and what it holds and may have changed in place. Then it flies what waits, or waits for the
 * flight that carries it. It never waits for what it has not seen, and it fails with nothing else.
 */
final class Settler {

  private static final Log log = LogFactory.getLog(Settler.class);

  /** Between two tries to encode a value that another thread changes; nanoseconds. */
  private static final long CHANGING_PAUSE_NANOS = 2_000_000L;

  /**
   * How long a value may go on changing under a request's hands: after that a request that has
   * changed it fails, and with it the page that shares a collection without any order; one that has
   * only read it goes on. Nanoseconds.
   */
  private static final long CHANGING_NANOS_MAX = 2_000_000_000L;

  private final Flights flights;
  private final Saves saves;
  private final Serving serving;
  private final Debts debts;
  private final Copies copies;
  private final Encoder encoder;
  private final Ends ends;

  Settler(
      Flights flights,
      Saves saves,
      Serving serving,
      Debts debts,
      Copies copies,
      Encoder encoder,
      Ends ends) {
    this.flights = flights;
    this.saves = saves;
    this.serving = serving;
    this.debts = debts;
    this.copies = copies;
    this.encoder = encoder;
    this.ends = ends;
  }

  /** What one round under the lock came to: a draft in the air that this thread flies; or else: */
  private static final class Turn {

    /** Everything that the request has seen is stored, or owed while the store is away. */
    private static final Turn SETTLED = new Turn(null);

    /** Another thread's flight has landed. */
    private static final Turn LANDED = new Turn(null);

    private final Draft draft;

    private Turn(Draft draft) {
      this.draft = draft;
    }
  }

  /**
   * Waits until everything that a request has seen is stored.
   *
   * @param held the session
   * @param by the request
   * @return whether the store has vouched for the copy meanwhile
   * @throws SaveFailedException if something that the request may have seen is not stored
   * @throws StoreUnavailableException if a command that it waited for was not answered
   */
  boolean settle(Held held, Witness by) {
    if (held.copy().startsOver()) {
      held.copy().readNames(by);
    }
    if (by.isBlank()) {
      return false;
    }
    long began = System.nanoTime();
    boolean compares = true;
    while (true) {
      debts.pay(held);
      if (held.standing().life() == Life.DOUBTFUL && copies.check(held) == Verdict.GONE) {
        held.happened(held.copy().endsHere() ? Life.Event.GONE : Life.Event.GONE_ELSEWHERE);
        ends.tellIfOver(held);
      }
      Asked asked = ask(held, by, compares);
      compares = false;
      Turn turn = asked.isSettled() ? Turn.SETTLED : turn(held, by, look(held, asked), began);
      if (turn == Turn.SETTLED) {
        return held.checkedAtNanos() - began >= 0;
      } else if (turn.draft != null) {
        fly(held, turn.draft);
      }
    }
  }

  /**
   * Waits until everything that has changed in a session is stored, where no request does.
   *
   * @param held the session
   */
  void settleAll(Held held) {
    Witness everything = new Witness(System.nanoTime());
    held.readNames(everything);
    settle(held, everything);
    if (held.hasStrangers()) {
      settle(held, held.outside());
    }
  }

  private static Asked ask(Held held, Witness by, boolean compares) {
    Asked asked;
    held.lock();
    try {
      asked = held.copy().ask(by, compares);
    } finally {
      held.unlock();
    }
    if (asked.givenUp() != null) {
      throw new SaveFailedException(
          "a change that this request may have seen was not stored: " + asked.givenUp());
    }
    return asked;
  }

  /** Encodes what has to be encoded, and compares what others' values have replaced. */
  private List<Encoding> look(Held held, Asked asked) {
    for (Asked.Orphan orphan : asked.compare()) {
      Encoding now = atRest(held, stamp -> encoder.encode(orphan.name(), orphan.value(), stamp));
      if (!orphan.isUnchanged(now)) {
        throw new SaveFailedException(
            "attribute \"" + orphan.name() + "\" was changed in place here and by another Tomcat");
      }
    }
    List<Encoding> found = new ArrayList<>(asked.encode().size() + asked.read().size());
    for (String name : asked.encode()) {
      found.add(encode(held, name));
    }
    for (String name : asked.read()) {
      try {
        found.add(encode(held, name));
      } catch (GoesOnChangingException othersBusiness) {
        log.debug("Whoever changes it saves it", othersBusiness);
      }
    }
    return found;
  }

  /** A value did not come to rest. */
  private static final class GoesOnChangingException extends SaveFailedException {
    private static final long serialVersionUID = 1L;

    private GoesOnChangingException(Encoder.ChangingException changing) {
      super(changing.getMessage(), changing);
    }
  }

  private Encoding encode(Held held, String name) {
    return atRest(
        held,
        stamp -> {
          try {
            return encoder.encode(held.live(), name, stamp);
          } catch (PermanentFaultException hopeless) {
            reject(held, name, stamp);
            throw hopeless;
          }
        });
  }

  private static Encoding atRest(Held held, LongFunction<Encoding> look) {
    long began = System.nanoTime();
    while (true) {
      try {
        return look.apply(held.copy().draw());
      } catch (Encoder.ChangingException changing) {
        if (System.nanoTime() - began > CHANGING_NANOS_MAX) {
          throw new GoesOnChangingException(changing);
        }
        LockSupport.parkNanos(CHANGING_PAUSE_NANOS);
      }
    }
  }

  private static void reject(Held held, String name, long stamp) {
    held.lock();
    try {
      held.copy().reject(name, stamp);
    } finally {
      held.unlock();
    }
  }

  private Turn turn(Held held, Witness by, List<Encoding> found, long began) {
    held.lock();
    try {
      Copy copy = held.copy();
      for (Encoding encoding : found) {
        copy.offer(by, encoding);
      }
      if (copy.isSettled(by)) {
        return Turn.SETTLED;
      } else if (!copy.isEncoded(by)) {
        return Turn.LANDED; // what was encoded has changed something else: one save tells both
      } else if (serving.mayGoOn(held)) {
        serving.owe(held);
        return Turn.SETTLED;
      } else if (serving.owes(held) && !serving.isOn()) {
        return Turn.LANDED; // the store came back meanwhile: what is owed goes first, in its order
      } else if (held.isFlying()) {
        flights.awaitLanding(held, began);
        return Turn.LANDED;
      }
      Draft draft = copy.takeOff();
      if (draft == null) {
        return Turn.LANDED; // it was marked anew meanwhile: look again
      }
      held.takeOff();
      return new Turn(draft);
    } finally {
      held.unlock();
    }
  }

  private void fly(Held held, Draft draft) {
    try {
      saves.fly(held, draft);
    } finally {
      ends.tellIfOver(held);
    }
  }
}
