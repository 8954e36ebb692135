package remora.tomcat.keeper;

import remora.tomcat.copy.Copy;
import remora.tomcat.copy.Draft;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Verdict;
import remora.tomcat.copy.Verdict.Command;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionLimit;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreUnavailableException;

/**
 * The flight of a save: what a draft tells, sent until its outcome is known, and what that does to
 * the copy.
 */
final class Saves {

  private final SessionStore store;
  private final PauseTicker ticker;
  private final boolean overwrites;
  private final boolean keepsLocal;
  private final SessionLimit limit;
  private final Serving serving;

  /**
   * Saves to a store.
   *
   * @param store the store
   * @param settings what it is told
   * @param serving what may wait while the store is away
   */
  Saves(SessionStore store, KeeperSettings settings, Serving serving) {
    this.store = store;
    this.ticker = settings.ticker;
    this.overwrites = settings.overwrites;
    this.keepsLocal = settings.keepsLocal;
    this.limit = settings.limit;
    this.serving = serving;
  }

  /** What is under way: a draft, what it is put onto, and whether its request may be a zombie's. */
  private static final class Try {
    private final SessionKey key;
    private final Draft draft;
    private final boolean paused;
    private long serial;
    private long onto;
    private boolean overwritten;

    private Try(SessionKey key, Draft draft, boolean paused, long serial, long onto) {
      this.key = key;
      this.draft = draft;
      this.paused = paused;
      this.serial = serial;
      this.onto = onto;
    }

    private Command command() {
      return draft.creates() ? Command.CREATE : draft.isLate() ? Command.LATE_SAVE : Command.SAVE;
    }
  }

  /**
   * Flies a draft whose flight has begun, and lands.
   *
   * @param held the session
   * @param draft what the store is told
   * @throws SaveFailedException if it was given up
   */
  void fly(Held held, Draft draft) {
    try {
      save(held, draft);
    } finally {
      held.land();
    }
  }

  /**
   * Saves a draft. Alone.
   *
   * @param held the session
   * @param draft what the store is told
   */
  void save(Held held, Draft draft) {
    boolean paused = ticker.pausedSince(draft.sinceNanos());
    if (draft.isLate() && paused) {
      giveUp(held, draft);
      throw new SaveFailedException("the session went elsewhere while this Tomcat stood still");
    }
    long onto = draft.creates() ? 0 : draft.base();
    save(held, new Try(held.key(), draft, paused, store.nextSerial(), onto));
  }

  /**
   * Repeats a save that was not answered, under its own request id. Alone.
   *
   * @param held the session
   * @param unknown the save
   */
  void repeat(Held held, UnknownSave unknown) {
    held.unknownSave(null);
    save(held, new Try(unknown.key, unknown.draft, false, unknown.serial, unknown.onto));
  }

  private void save(Held held, Try attempt) {
    for (int i = 0; i < Flights.TRIES_MAX; i++) {
      long before = System.nanoTime();
      SaveOutcome outcome = ask(held, attempt);
      if (outcome == null) {
        return; // it waits for the store to return, or flies again without what was too large
      }
      Verdict verdict = Verdict.of(attempt.command(), Flights.answer(outcome.kind().name()));
      if (!isToBeRepeated(attempt, verdict, outcome)) {
        conclude(held, attempt, verdict, outcome, before);
        return;
      }
      attempt.serial = store.nextSerial();
    }
    giveUp(held, attempt.draft);
    throw new SaveFailedException("later commands of this Tomcat overtook the save");
  }

  private boolean isToBeRepeated(Try attempt, Verdict verdict, SaveOutcome outcome) {
    if (verdict == Verdict.OVER_TOMBSTONE && outcome.tombstone() != 0) {
      attempt.onto = outcome.tombstone();
      return true;
    } else if (outcome.kind() == SaveOutcome.Kind.CONFLICT
        && overwrites
        && !attempt.overwritten
        && attempt.draft.isOnlyAttributes()) {
      attempt.overwritten = true;
      attempt.onto = outcome.version();
      return true;
    }
    return verdict == Verdict.AGAIN;
  }

  private SaveOutcome ask(Held held, Try attempt) {
    Live live = held.live();
    try {
      return store.save(
          attempt.serial,
          attempt.key,
          attempt.draft.change(attempt.onto, limit, live.createdMillis(), live.lastAccessMillis()));
    } catch (StoreUnavailableException silent) {
      silent(held, attempt, silent);
      return null;
    } catch (StoreRefusedException refused) {
      if (refused.reason() == StoreRefusedException.Reason.TOO_LARGE
          && keepLargest(held, attempt)) {
        return null;
      }
      giveUp(held, attempt.draft);
      throw new PermanentFaultException(refused.getMessage(), refused);
    } catch (RuntimeException broken) {
      giveUp(held, attempt.draft);
      throw broken;
    }
  }

  /**
   * While this Tomcat goes on by itself, the outcome is learned later, by repeating the command.
   */
  private void silent(Held held, Try attempt, StoreUnavailableException silent) {
    if (serving.mayGoOn(held) && !attempt.paused) {
      held.unknownSave(new UnknownSave(attempt.key, attempt.serial, attempt.draft, attempt.onto));
      serving.owe(held);
      return;
    }
    giveUp(held, attempt.draft);
    held.unanswered(silent);
    throw new SaveFailedException(silent.getMessage(), silent);
  }

  private boolean keepLargest(Held held, Try attempt) {
    held.lock();
    try {
      return keepsLocal && held.copy().keepLargest(attempt.draft);
    } finally {
      held.unlock();
    }
  }

  private static void giveUp(Held held, Draft draft) {
    held.lock();
    try {
      held.copy().giveUp(draft);
    } finally {
      held.unlock();
    }
  }

  private void conclude(Held held, Try attempt, Verdict verdict, SaveOutcome outcome, long before) {
    held.lock();
    try {
      Copy copy = held.copy();
      switch (verdict) {
        case TAKE_IN:
          copy.saved(attempt.draft, outcome);
          if (!attempt.draft.isLate()) {
            held.checked(before);
          }
          return;
        case FLY_LATE:
          copy.happened(Life.Event.FENCED);
          if (!attempt.paused) {
            copy.turnBack(attempt.draft);
            return;
          }
          copy.giveUp(attempt.draft);
          throw new SaveFailedException(
              "the session belongs to " + outcome.owner() + " since this Tomcat stood still");
        case GONE:
          copy.happened(copy.endsHere() ? Life.Event.GONE : Life.Event.GONE_ELSEWHERE);
          throw new SaveFailedException("the session was ended elsewhere");
        case ELSEWHERE:
          copy.happened(Life.Event.GONE_ELSEWHERE);
          throw new SaveFailedException("the session was ended or its id changed elsewhere");
        default:
          copy.giveUp(attempt.draft);
          throw refusal(attempt.draft, outcome);
      }
    } finally {
      held.unlock();
    }
  }

  private SaveFailedException refusal(Draft draft, SaveOutcome outcome) {
    switch (outcome.kind()) {
      case OVER_LIMIT:
        return new SessionLimitException(
            "the user who would log in has " + limit.sessions() + " sessions, his limit, already");
      case CONFLICT:
        return new SaveFailedException(
            "another Tomcat changed the same part of the session first: " + draft.names());
      default:
        return new SaveFailedException(
            draft.creates()
                ? "the id of a new session is in use"
                : "the session belongs to " + outcome.owner());
    }
  }
}
