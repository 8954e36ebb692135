package remora.tomcat.keeper;

import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.copy.Draft;
import remora.tomcat.copy.Life;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Hands over what a session owes the store when that is back, in this order: the save whose outcome
 * was not learned, under its own request id; the change of its id; what else has changed; its end.
 * Until it has paid, its requests pay first.
 */
final class Debts {

  private static final Log log = LogFactory.getLog(Debts.class);

  private final String application;
  private final Serving serving;
  private final Flights flights;
  private final Saves saves;
  private final Ends ends;
  private final Executor worker;
  private final Consumer<Held> paid;
  private final BiConsumer<Held, String> renamed;
  private final AtomicBoolean paying = new AtomicBoolean();

  /**
   * Debts of an application.
   *
   * @param application its name
   * @param serving who owes
   * @param flights how ids change and sessions end
   * @param saves how changes are saved
   * @param ends how sessions end here
   * @param worker where all are paid, for which nothing of the application's waits
   * @param paid hears of a session that owes nothing any more
   * @param renamed hears of a session that has another id than the one named, and that nobody was
   *     told so yet; in a flight
   */
  Debts(
      String application,
      Serving serving,
      Flights flights,
      Saves saves,
      Ends ends,
      Executor worker,
      Consumer<Held> paid,
      BiConsumer<Held, String> renamed) {
    this.application = application;
    this.serving = serving;
    this.flights = flights;
    this.saves = saves;
    this.ends = ends;
    this.worker = worker;
    this.paid = paid;
    this.renamed = renamed;
  }

  /**
   * Hears of the store.
   *
   * @param state how it stands now
   */
  void changed(StoreState state) {
    if (!serving.isChosen()) {
      return;
    }
    if (state.kind() == StoreState.Kind.AWAY) {
      log.warn(
          "The session store is away. "
              + application
              + " goes on with the sessions that this Tomcat owns and with new ones, and hands over"
              + " what has changed when the store returns; until then it lives here alone.");
    } else if (state.kind() == StoreState.Kind.LED && !serving.owing().isEmpty()) {
      worker.execute(this::payAll);
    }
  }

  /**
   * Pays what a session owes, if it owes anything and the store is there.
   *
   * @param held the session
   * @throws StoreUnavailableException if the store does not answer; it still owes
   * @throws SaveFailedException if what it owed is lost
   */
  void pay(Held held) {
    if (!serving.owes(held) || serving.isOn()) {
      return;
    }
    try {
      flights.alone(
          held,
          () -> {
            if (serving.owes(held)) {
              payAlone(held);
            }
            return null;
          });
    } finally {
      ends.tellIfOver(held);
    }
  }

  private void payAlone(Held held) {
    try {
      UnknownSave unknown = held.unknownSave();
      if (unknown != null) {
        saves.repeat(held, unknown);
      }
      String oldId = held.live().id();
      if (flights.finishRenames(held)) {
        renamed.accept(held, oldId);
      }
      Draft draft = draft(held);
      while (draft != null) {
        saves.save(held, draft);
        draft = draft(held);
      }
      if (held.owedRemoval()) {
        flights.remove(held);
      }
      held.happened(Life.Event.HANDED_OVER);
      serving.paid(held);
      paid.accept(held);
    } catch (SaveFailedException lost) {
      serving.paid(held);
      throw lost;
    }
  }

  private static Draft draft(Held held) {
    held.lock();
    try {
      return held.owedRemoval() ? null : held.copy().takeOff();
    } finally {
      held.unlock();
    }
  }

  private void payAll() {
    if (!paying.compareAndSet(false, true)) {
      return;
    }
    int paid = 0;
    int lost = 0;
    try {
      for (Held held : serving.owing()) {
        try {
          pay(held);
          paid++;
        } catch (SaveFailedException conflict) {
          lost++;
          log.warn("What a session changed meanwhile is lost: " + conflict.getMessage());
        }
      }
    } catch (StoreUnavailableException awayAgain) {
      log.debug("The rest is handed over when the store returns", awayAgain);
    } finally {
      paying.set(false);
      log.info(
          application
              + " has handed over what "
              + paid
              + " sessions changed while the store was away; "
              + lost
              + " could not, "
              + serving.owing().size()
              + " are left");
    }
  }

  /** Says what is lost when this Tomcat stops while the store is away. */
  void stop() {
    int sessions = 0;
    int logouts = 0;
    for (Held held : serving.owing()) {
      sessions++;
      logouts += held.owedRemoval() ? 1 : 0;
    }
    if (sessions > 0) {
      log.error(
          application
              + " stops while the store is away: what "
              + sessions
              + " sessions changed is lost, "
              + logouts
              + " logouts among it");
    }
  }
}
