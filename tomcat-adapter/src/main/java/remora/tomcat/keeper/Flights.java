package remora.tomcat.keeper;

import java.util.function.Supplier;
import remora.tomcat.copy.Copy;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Verdict;
import remora.tomcat.copy.Verdict.Answer;
import remora.tomcat.copy.Verdict.Command;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.RemoveReason;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Every command about a session that is sent to the store, but for saves, which {@link Saves}
 * flies, and what its answer does to the copy. What an answer means stands in one table, {@link
 * Verdict}.
 *
 * <p>A flight is the round trip alone: nothing of the application's runs within it. The callers of
 * this class's methods end or take out live sessions after the landing, never before.
 */
final class Flights {

  /**
   * How often a command that others of this JVM overtook is sent again. Twice is what serials drawn
   * side by side need; a session that two Tomcats claim in turns needs a few more.
   */
  static final int TRIES_MAX = 8;

  private final SessionStore store;
  private final PauseTicker ticker;
  private final long turnNanosMax;

  /**
   * Flights to a store.
   *
   * @param store the store
   * @param ticker notices that this process stood still
   * @param turnNanosMax how long a flight waits for others of its session
   */
  Flights(SessionStore store, PauseTicker ticker, long turnNanosMax) {
    this.store = store;
    this.ticker = ticker;
    this.turnNanosMax = turnNanosMax;
  }

  /**
   * Waits for the flight of a session to land. Under its lock.
   *
   * @param held the session
   * @param sinceNanos when the caller began to wait
   * @throws StoreUnavailableException if a flight that it waited for was not answered, or it waited
   *     long enough, or too many wait
   */
  void awaitLanding(Held held, long sinceNanos) {
    store.beginsToWait();
    try {
      held.awaitLanding(sinceNanos, sinceNanos + turnNanosMax);
    } finally {
      store.hasWaited();
    }
  }

  private void takeTurn(Held held) {
    long began = System.nanoTime();
    held.lock();
    try {
      while (held.isFlying()) {
        awaitLanding(held, began);
      }
      held.takeOff();
    } finally {
      held.unlock();
    }
  }

  /**
   * Runs one command by itself: nothing else of the session flies meanwhile.
   *
   * @param held the session
   * @param command asks the store
   * @param <T> what it gives
   * @return what it gave
   */
  <T> T alone(Held held, Supplier<T> command) {
    takeTurn(held);
    try {
      return command.get();
    } catch (StoreUnavailableException silent) {
      held.unanswered(silent);
      throw silent;
    } finally {
      held.land();
    }
  }

  // ---- Claim and check

  /**
   * Takes a session over.
   *
   * @param key which
   * @return the record, or why there is none; never stale
   */
  ClaimOutcome claim(SessionKey key) {
    for (int i = 0; i < TRIES_MAX; i++) {
      ClaimOutcome outcome = store.claim(store.nextSerial(), key);
      if (Verdict.of(Command.CLAIM, answer(outcome.kind().name())) != Verdict.AGAIN) {
        return outcome;
      }
    }
    throw new StoreUnavailableException(
        "other requests of this Tomcat overtook a claim; try again");
  }

  /**
   * Asks whether a copy is the truth, and makes it so if this Tomcat owns the session. Alone.
   *
   * @param held a session with a record
   * @return {@code TAKE_IN}, {@code RECLAIM} or {@code GONE}
   */
  Verdict check(Held held) {
    long before = System.nanoTime();
    Copy copy = held.copy();
    CheckOutcome outcome = store.check(held.key(), copy.standing().epoch(), copy.versionToCheck());
    Verdict verdict = Verdict.of(Command.CHECK, answer(outcome.kind().name()));
    held.lock();
    try {
      if (verdict == Verdict.TAKE_IN) {
        if (outcome.kind() == CheckOutcome.Kind.NEWER) {
          copy.take(outcome.session(), false);
        } else {
          copy.happened(Life.Event.CONFIRMED);
        }
        held.checked(before);
      } else if (verdict == Verdict.RECLAIM) {
        copy.happened(Life.Event.FENCED);
      }
    } finally {
      held.unlock();
    }
    return verdict;
  }

  // ---- Rename, remove, release

  /**
   * Gives a session another key. Alone.
   *
   * @param held a session with a record
   * @param newKey a key of the same application
   * @param newId the id that the key belongs to
   * @param sinceNanos when the request began that asks; monotonic
   * @return {@code TAKE_IN}, {@code ANOTHER_KEY} or {@code RECLAIM}
   * @throws SaveFailedException if the session has ended or went elsewhere
   */
  Verdict rename(Held held, SessionKey newKey, String newId, long sinceNanos) {
    held.happened(Life.Event.RENAME_BEGINS);
    Life.Event then = null; // while the outcome is not known, the session stays between its ids
    try {
      for (int i = 0; i < TRIES_MAX; i++) {
        PendingRename rename =
            new PendingRename(
                store.nextSerial(), held.key(), newKey, newId, held.standing().epoch());
        CommandOutcome outcome = ask(held, rename);
        then = Life.Event.FAILED;
        Verdict verdict = Verdict.of(Command.RENAME, answer(outcome.kind().name()));
        switch (verdict) {
          case AGAIN:
            continue;
          case TAKE_IN:
            renamed(held, outcome.version());
            then = Life.Event.CONFIRMED;
            return verdict;
          case ANOTHER_KEY:
            then = Life.Event.CONFIRMED;
            return verdict;
          case RECLAIM:
            then = Life.Event.FENCED;
            if (!ticker.pausedSince(sinceNanos)) {
              return verdict;
            }
            throw new SaveFailedException(
                "the session belongs to " + outcome.owner() + " since this Tomcat stood still");
          default:
            throw new SaveFailedException(
                "the session moved while its id changed: " + outcome.kind());
        }
      }
      throw new SaveFailedException("later commands of this Tomcat overtook the change of the id");
    } finally {
      if (then != null) {
        held.happened(Life.Event.RENAME_ENDS);
        held.happened(then);
      }
    }
  }

  private CommandOutcome ask(Held held, PendingRename rename) {
    held.addRename(rename);
    CommandOutcome outcome =
        store.rename(rename.serial, rename.oldKey, rename.newKey, rename.epoch);
    held.answeredRename(rename);
    return outcome;
  }

  /**
   * Gives a session another key here, of which the store hears when it is back. Alone.
   *
   * @param held a session
   * @param newKey the key of the new id
   * @param newId the new id
   */
  void renameLater(Held held, SessionKey newKey, String newId) {
    held.addRename(
        new PendingRename(store.nextSerial(), held.key(), newKey, newId, held.standing().epoch()));
  }

  /**
   * Repeats the renames whose outcome was not learned, and gives the session its new id if it has
   * another yet: under the old one the store would know it no more. Alone.
   *
   * @param held a session
   * @return whether this call gave it the new id; nobody was told of it yet
   */
  boolean finishRenames(Held held) {
    boolean moved = false;
    PendingRename rename = held.pendingRename();
    while (rename != null) {
      CommandOutcome outcome =
          store.rename(rename.serial, rename.oldKey, rename.newKey, rename.epoch);
      held.answeredRename(rename);
      if (outcome.kind() == CommandOutcome.Kind.DONE) {
        renamed(held, outcome.version());
        if (!held.key().equals(rename.newKey)) {
          held.live().rename(rename.newId);
          moved = true;
        }
      } else if (held.key().equals(rename.newKey) && !held.standing().life().isOver()) {
        startOver(held); // it went on here under the new id, and the record went elsewhere
      } else {
        held.happened(Life.Event.RENAME_ENDS);
        held.happened(Life.Event.FAILED);
      }
      rename = held.pendingRename();
    }
    return moved;
  }

  private static void startOver(Held held) {
    held.lock();
    try {
      held.copy().startOver(System.nanoTime());
    } finally {
      held.unlock();
    }
  }

  private static void renamed(Held held, long version) {
    held.lock();
    try {
      held.copy().renamed(version);
    } finally {
      held.unlock();
    }
  }

  /**
   * Ends a session in the store, whoever owns it. Alone.
   *
   * @param held a session
   * @throws SaveFailedException if the session is not where this Tomcat looked for it
   * @throws StoreUnavailableException if the store does not answer; the session may live on
   */
  void remove(Held held) {
    held.happened(Life.Event.REMOVE_BEGINS);
    boolean removed = false;
    try {
      removed = held.standing().epoch() == 0 || isRemoved(held);
    } finally {
      held.happened(removed ? Life.Event.REMOVED : Life.Event.REMOVE_FAILS);
    }
  }

  private boolean isRemoved(Held held) {
    for (int i = 0; i < TRIES_MAX; i++) {
      CommandOutcome outcome =
          store.remove(
              store.nextSerial(),
              held.key(),
              held.standing().createdVersion(),
              held.standing().epoch(),
              RemoveReason.LOGOUT);
      Verdict verdict = Verdict.of(Command.REMOVE, answer(outcome.kind().name()));
      if (verdict == Verdict.TAKE_IN) {
        return true;
      } else if (verdict == Verdict.ELSEWHERE) {
        throw new SaveFailedException("the session lives on: its id has changed elsewhere");
      }
    }
    throw new SaveFailedException("later commands of this Tomcat overtook the logout");
  }

  /**
   * Gives up the ownership of a session, so that its next owner need not wait for this one. Alone.
   *
   * @param held a session with a record
   */
  void release(Held held) {
    store.release(store.nextSerial(), held.key(), held.standing().epoch());
  }

  /** Outcomes are named as the table names answers, but for these. */
  static Answer answer(String kind) {
    switch (kind) {
      case "CLAIMED":
      case "CURRENT":
      case "NEWER":
      case "SAVED":
        return Answer.DONE;
      case "MOVED":
        return Answer.FENCED;
      default:
        return Answer.valueOf(kind);
    }
  }
}
