package remora.tomcat;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import remora.tomcat.store.Login;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Tells the store what changed in a session. One command per session is in flight at a time; what
 * changes meanwhile collects behind it, so parallel requests share a save.
 *
 * <p>Invariant: {@link #settle} returns only when everything that had changed in the session at its
 * call is on a majority of disks. A save that failed takes the copy out of use: every request that
 * may have seen the unsaved state fails too, and the next one reads the record anew.
 */
final class SessionSaver {

  /** A create over a tombstone must name it; the second try does. */
  private static final int CREATE_TRIES = 2;

  private final SessionStore store;
  private final PauseTicker ticker;

  SessionSaver(SessionStore store, PauseTicker ticker) {
    this.store = store;
    this.ticker = ticker;
  }

  /** What one save tells. */
  private static final class Draft {
    private final Map<String, EncodedValue> changed = new LinkedHashMap<>();
    private final List<String> removed = new ArrayList<>();
    private Login login;
    private Integer maxIdleSeconds;
    private long base = Long.MAX_VALUE;
    private long sinceNanos;

    private boolean isEmpty() {
      return changed.isEmpty() && removed.isEmpty() && login == null && maxIdleSeconds == null;
    }
  }

  /**
   * Waits until everything that changed in the session is stored.
   *
   * @param session the session
   * @param failuresSeen its count of failed saves when the request first touched it
   * @param startedNanos monotonic time at which the request began
   * @return whether this call or one that it waited for told the store something
   * @throws SaveFailedException if something that the request may have seen is not stored
   * @throws StoreUnavailableException if a command that this call waited for was not answered
   */
  boolean settle(RemoraSession session, int failuresSeen, long startedNanos) {
    Turn turn = awaitTurn(session, failuresSeen);
    if (turn == Turn.ENDED) {
      requireNothingDropped(session);
    }
    if (turn != Turn.MINE) {
      return turn == Turn.TOLD;
    }
    try {
      return fly(session, startedNanos);
    } catch (EndedException ended) {
      if (ended.gone && session.hasEndedHere()) {
        session.expireGone();
      } else {
        session.vanish();
      }
      throw ended;
    }
  }

  /** How a request stands that wants everything stored. */
  private enum Turn {
    /** It has taken off: the flight is its own. */
    MINE,
    /** A flight that it waited for has told everything. */
    TOLD,
    /** There is nothing to tell. */
    IDLE,
    /** The session does not live here any more. */
    ENDED
  }

  private Turn awaitTurn(RemoraSession session, int failuresSeen) {
    long began = System.nanoTime();
    session.lock.lock();
    try {
      long flight = session.flights.next();
      while (true) {
        if (session.flights.failures() != failuresSeen) {
          throw new SaveFailedException("a change that this request may have seen was not stored");
        }
        if (!session.isLive()) {
          return Turn.ENDED;
        }
        if (session.flights.hasSaved(flight)) {
          return session.flights.hasTold(flight) ? Turn.TOLD : Turn.IDLE;
        }
        session.flights.rethrowSilence(began);
        if (!session.flights.isFlying()) {
          break;
        }
        session.flights.awaitLanding();
      }
      if (!session.mayHaveChanged()) {
        return Turn.IDLE;
      }
      session.flights.takeOff();
      return Turn.MINE;
    } finally {
      session.lock.unlock();
    }
  }

  /** The session ended although this Tomcat's application did not end it. */
  private static final class EndedException extends SaveFailedException {
    private static final long serialVersionUID = 1L;
    private final boolean gone;

    private EndedException(boolean gone) {
      super("the session was ended or its id changed elsewhere");
      this.gone = gone;
    }
  }

  private void requireNothingDropped(RemoraSession session) {
    if (session.hasDroppedChanges()
        || session.hasVanished() && !draft(session, new LinkedHashMap<>()).isEmpty()) {
      throw new SaveFailedException("the session ended elsewhere before a change was stored");
    }
  }

  private boolean fly(RemoraSession session, long startedNanos) {
    boolean succeeded = false;
    boolean tells = false;
    Map<String, Long> marks = new LinkedHashMap<>();
    try {
      Draft draft = draft(session, marks);
      tells = !draft.isEmpty() || session.epoch() == 0;
      if (tells) {
        send(session, draft, startedNanos);
      }
      succeeded = true;
      return tells;
    } catch (SaveFailedException failed) {
      throw failed;
    } catch (StoreUnavailableException silent) {
      session.flights.unanswered(silent);
      throw new SaveFailedException(silent.getMessage(), silent);
    } catch (StoreRefusedException refused) {
      throw new SaveFailedException(refused.getMessage(), refused);
    } catch (RuntimeException | StackOverflowError brokenAttribute) {
      throw new SaveFailedException(
          "an attribute of the session broke while it was serialized: " + brokenAttribute,
          brokenAttribute);
    } finally {
      if (!succeeded) {
        giveUp(session, marks.keySet());
      }
      session.flights.land(succeeded, succeeded && tells);
    }
  }

  /**
   * Takes a copy out of use whose state in the store is not known, or not what the copy says.
   *
   * @param session the session
   * @param marked names whose changes are given up beside those in requests' hands
   */
  static void giveUp(RemoraSession session, Set<String> marked) {
    session.lock.lock();
    try {
      Set<String> doubtful = new LinkedHashSet<>(marked);
      doubtful.addAll(session.readAttributes());
      session.ledger.discard(doubtful);
      session.flights.fail();
      session.unusable = true;
    } finally {
      session.lock.unlock();
    }
    if (session.epoch() == 0) {
      session.vanish(); // no answer ever named it, so nobody has its cookie
    }
  }

  private Draft draft(RemoraSession session, Map<String, Long> marks) {
    Draft draft = new Draft();
    Map<String, Long> suspects;
    long epoch;
    long version;
    List<Ledger.Orphan> orphans;
    session.lock.lock();
    try {
      draft.sinceNanos = session.ledger.markedSinceNanos(System.nanoTime());
      marks.putAll(session.ledger.takeMarks());
      epoch = session.ledger.epoch();
      version = session.ledger.version();
      orphans = session.ledger.orphans();
      suspects = new LinkedHashMap<>(marks);
      for (String name : session.readAttributes()) {
        suspects.putIfAbsent(name, version);
      }
    } finally {
      session.lock.unlock();
    }
    for (Ledger.Orphan orphan : orphans) {
      if (!session
          .values()
          .encode(orphan.name, orphan.value)
          .fingerprint()
          .equals(orphan.fingerprint)) {
        throw new SaveFailedException(
            "attribute \"" + orphan.name + "\" was changed in place here and by another Tomcat");
      }
    }
    for (Map.Entry<String, Long> suspect : suspects.entrySet()) {
      inspect(session, suspect.getKey(), suspect.getValue(), epoch == 0, draft);
    }
    if (epoch == 0) {
      draft.maxIdleSeconds = session.getMaxInactiveInterval();
    }
    draft.base = Math.min(draft.base, version);
    return draft;
  }

  private void inspect(
      RemoraSession session, String name, long base, boolean creates, Draft draft) {
    boolean differs = false;
    if (Ledger.LOGIN.equals(name)) {
      Login login = session.liveLogin();
      if (!Principals.same(login, session.ledger.login())) {
        draft.login = login;
        differs = true;
      }
    } else if (Ledger.IDLE.equals(name)) {
      int seconds = session.getMaxInactiveInterval();
      if (creates || seconds != session.ledger.maxIdleSeconds()) {
        draft.maxIdleSeconds = seconds;
        differs = true;
      }
    } else {
      differs = inspectAttribute(session, name, draft);
    }
    if (differs) {
      draft.base = Math.min(draft.base, base);
    }
  }

  private boolean inspectAttribute(RemoraSession session, String name, Draft draft) {
    Object value = session.liveValue(name);
    if (value == null || session.isLocal(name, value)) {
      if (!isKnown(session, name)) {
        return false;
      }
      draft.removed.add(name);
      return true;
    }
    if (value instanceof EncodedValue) {
      return false; // came from the store and nobody has touched it
    }
    EncodedValue encoded = session.values().encode(name, value);
    session.lock.lock();
    try {
      if (session.ledger.knows(name, encoded.fingerprint())) {
        return false;
      }
    } finally {
      session.lock.unlock();
    }
    draft.changed.put(name, encoded);
    return true;
  }

  private static boolean isKnown(RemoraSession session, String name) {
    session.lock.lock();
    try {
      return session.ledger.knows(name);
    } finally {
      session.lock.unlock();
    }
  }

  private void send(RemoraSession session, Draft draft, long startedNanos) {
    long base = draft.base;
    for (int i = 0; i < CREATE_TRIES; i++) {
      long epoch = session.epoch();
      long since = Math.min(startedNanos, draft.sinceNanos);
      SessionChange change = change(session, draft, epoch, epoch == 0 && i == 0 ? 0 : base, since);
      long before = System.nanoTime();
      SaveOutcome outcome = store.save(store.nextSerial(), session.key(), change);
      if (outcome.kind() == SaveOutcome.Kind.GONE && epoch == 0 && outcome.tombstone() != 0) {
        base = outcome.tombstone();
        continue;
      }
      conclude(session, draft, outcome, before);
      return;
    }
    throw new SaveFailedException("the id of a new session is in use");
  }

  private SessionChange change(
      RemoraSession session, Draft draft, long epoch, long base, long since) {
    SessionChange.Builder change = SessionChange.of(epoch, base);
    for (Map.Entry<String, EncodedValue> entry : draft.changed.entrySet()) {
      change.set(entry.getKey(), entry.getValue().type(), entry.getValue().bytes());
    }
    for (String name : draft.removed) {
      change.remove(name);
    }
    if (draft.login != null) {
      change.login(draft.login);
    }
    if (draft.maxIdleSeconds != null) {
      change.maxIdleSeconds(draft.maxIdleSeconds);
    }
    return change
        .retake(epoch != 0 && !ticker.pausedSince(since))
        .times(session.getCreationTimeInternal(), session.lastAccessMillis())
        .build();
  }

  private static void conclude(
      RemoraSession session, Draft draft, SaveOutcome outcome, long before) {
    switch (outcome.kind()) {
      case SAVED:
        saved(session, draft, outcome, before);
        return;
      case CONFLICT:
        throw new SaveFailedException(
            "another Tomcat changed the same part of the session first: " + names(draft));
      case FENCED:
        throw new SaveFailedException(
            "the session belongs to " + outcome.owner() + " since this Tomcat stood still");
      case GONE:
        throw new EndedException(true);
      case RENAMED:
        throw new EndedException(false);
      default:
        throw new SaveFailedException("a later command of this Tomcat overtook the save");
    }
  }

  private static String names(Draft draft) {
    List<String> names = new ArrayList<>(draft.changed.keySet());
    names.addAll(draft.removed);
    return names.toString();
  }

  private static void saved(RemoraSession session, Draft draft, SaveOutcome outcome, long before) {
    session.lock.lock();
    try {
      Ledger ledger = session.ledger;
      ledger.own(outcome.version(), outcome.epoch(), outcome.createdVersion());
      for (Map.Entry<String, EncodedValue> entry : draft.changed.entrySet()) {
        ledger.know(entry.getKey(), outcome.version(), entry.getValue().fingerprint());
      }
      for (String name : draft.removed) {
        ledger.forget(name);
      }
      if (draft.login != null) {
        ledger.knowLogin(draft.login);
      }
      if (draft.maxIdleSeconds != null) {
        ledger.knowMaxIdle(draft.maxIdleSeconds);
      }
      session.merge(outcome.merged());
      session.checkedAtNanos = before;
    } finally {
      session.lock.unlock();
    }
  }
}
