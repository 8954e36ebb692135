package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Standing;
import remora.tomcat.copy.Verdict;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredSession;

/**
 * The sessions that this Tomcat holds, by bare id, and the look-up that every request begins with:
 * the copy itself while it may be trusted, else a check, else a claim. Parallel look-ups of one
 * session share one round trip.
 *
 * <p>Ends no session: a look-up that finds one ended says so, and its caller ends it without any of
 * these locks.
 */
final class Copies {

  /** Makes a live session of a record. */
  interface Maker {

    /**
     * Makes a session, entered nowhere yet.
     *
     * @param id the id that was asked for
     * @param record what was claimed
     * @return the session
     */
    Live make(String id, StoredSession record);
  }

  /** What a look-up ends with. */
  static final class Found {
    static final Found NOTHING = new Found(null, null, Coming.NOT);

    /** The session; or null. */
    final Held held;

    /** A session that has ended, whose end is to be told; or null. */
    final Held ended;

    /** Whether it has come here by this very look-up, and is to be told so. */
    final Coming coming;

    private Found(Held held, Held ended, Coming coming) {
      this.held = held;
      this.ended = ended;
      this.coming = coming;
    }

    private static Found here(Held held) {
      return new Found(held, null, Coming.NOT);
    }
  }

  /** How a look-up brought a session here. */
  enum Coming {
    /** It was here, or there is none. */
    NOT,
    /** It was made of the record. */
    MADE,
    /** It is the one that was here before another Tomcat had it. */
    RETURNED
  }

  private final SessionStore store;
  private final SessionIds ids;
  private final Flights flights;
  private final Serving serving;
  private final Maker maker;
  private final AbsentIds absent = new AbsentIds();
  private final ConcurrentMap<String, Slot> byId = new ConcurrentHashMap<>();
  private final ConcurrentMap<SessionKey, Slot> byKey = new ConcurrentHashMap<>();

  Copies(SessionStore store, SessionIds ids, Flights flights, Serving serving, Maker maker) {
    this.store = store;
    this.ids = ids;
    this.flights = flights;
    this.serving = serving;
    this.maker = maker;
  }

  // ---- Look-ups

  /**
   * A session that may be used without asking.
   *
   * @param bareId its id
   * @return null if somebody has to be asked
   */
  Held trusted(String bareId) {
    Slot slot = byId.get(bareId);
    Held held = slot == null ? null : slot.held;
    return held != null && isTrusted(held) ? held : null;
  }

  private boolean isTrusted(Held held) {
    if (serving.owes(held)) {
      return serving.mayGoOn(held);
    }
    Standing standing = held.standing();
    return held.copy().isUsable()
        && (standing.epoch() == 0
            || serving.mayGoOn(held)
            || !held.live().isIdleTooLong(0) && store.nearCopyTrusted(held.checkedAtNanos()));
  }

  /** Whether the id was nobody's a moment ago, or its session was ended here. */
  boolean isAbsent(String bareId) {
    Slot slot = byId.get(bareId);
    return slot == null
        ? absent.contains(bareId)
        : slot.held != null && slot.held.owedRemoval() && serving.owes(slot.held);
  }

  /**
   * A session that owes the store something, or whose rename waits for its outcome.
   *
   * @param bareId its id
   * @return null if there is none
   */
  Held unsettled(String bareId) {
    Slot slot = byId.get(bareId);
    Held held = slot == null ? null : slot.held;
    return held != null && (serving.owes(held) || held.pendingRename() != null) ? held : null;
  }

  /**
   * Asks the store about a session.
   *
   * @param id as the client sent it
   * @param beganNanos when the caller began to look; monotonic
   * @return what there is; null if the place has changed meanwhile and is to be looked at anew
   * @throws StoreUnavailableException if the store does not answer
   */
  Found ask(String id, long beganNanos) {
    Slot slot = slotOf(SessionIds.bare(id));
    enter(slot);
    try {
      SharedSilence.rethrow(slot.silence, beganNanos);
      return byId.get(slot.bareId) == slot ? askLocked(slot, id) : null;
    } catch (StoreUnavailableException silent) {
      slot.silence = new SharedSilence(silent);
      throw silent;
    } finally {
      forgetIfEmpty(slot);
      slot.lock.unlock();
    }
  }

  private void enter(Slot slot) {
    if (slot.lock.tryLock()) {
      return;
    }
    store.beginsToWait();
    try {
      slot.lock.lock();
    } finally {
      store.hasWaited();
    }
  }

  private Found askLocked(Slot slot, String id) {
    Held held = slot.held;
    if (held == null || held.standing().life().isOver()) {
      return claim(slot, id, null);
    } else if (isTrusted(held)) {
      return Found.here(held); // the one in front has asked
    } else if (held.standing().life() == Life.NEW) {
      return Found.here(held);
    }
    return flights.alone(held, () -> askAlone(slot, id, held));
  }

  private Found askAlone(Slot slot, String id, Held held) {
    if (held.standing().life().isOver()) {
      return null;
    }
    if (!held.copy().isLost()) {
      switch (checkUnlessAway(held)) {
        case TAKE_IN:
          return Found.here(held);
        case GONE:
          return gone(slot, held);
        default:
          break;
      }
    }
    return claim(slot, id, held);
  }

  private Found gone(Slot slot, Held held) {
    absent.add(slot.bareId);
    forget(slot);
    if (held == null) {
      return Found.NOTHING;
    }
    held.happened(held.copy().endsHere() ? Life.Event.GONE : Life.Event.GONE_ELSEWHERE);
    return new Found(null, held, Coming.NOT);
  }

  private Found claim(Slot slot, String id, Held old) {
    long before = System.nanoTime();
    ClaimOutcome outcome = flights.claim(slot.key);
    if (outcome.kind() == ClaimOutcome.Kind.GONE) {
      return gone(slot, old);
    } else if (outcome.kind() != ClaimOutcome.Kind.CLAIMED) {
      if (old != null) {
        old.happened(Life.Event.GONE_ELSEWHERE);
      }
      return gone(slot, old);
    }
    StoredSession record = outcome.session();
    if (old != null && old.standing().createdVersion() == record.createdVersion()) {
      take(old, record, before);
      return new Found(old, null, Coming.RETURNED);
    }
    Live live = maker.make(id, record);
    Held held = new Held(live, slot.key, slot.endings());
    live.keptBy(held);
    take(held, record, before);
    slot.held = held;
    if (old != null) {
      old.happened(Life.Event.GONE_ELSEWHERE);
    }
    return new Found(held, old, Coming.MADE);
  }

  private static void take(Held held, StoredSession record, long before) {
    held.lock();
    try {
      held.copy().take(record, true);
      held.checked(before);
    } finally {
      held.unlock();
    }
  }

  /**
   * Takes a session back that another Tomcat has taken. Alone.
   *
   * @param held the session
   * @return false if it has ended
   */
  boolean reclaim(Held held) {
    long before = System.nanoTime();
    ClaimOutcome outcome = flights.claim(held.key());
    StoredSession record = outcome.session();
    if (record == null || record.createdVersion() != held.standing().createdVersion()) {
      held.happened(Life.Event.GONE_ELSEWHERE);
      return false;
    }
    take(held, record, before);
    return true;
  }

  /**
   * Whether a copy may be shown at the end of a request that changed nothing.
   *
   * @param held a session
   * @param paused whether this process stood still during the request
   * @return false if somebody else may have changed it before the request really ran
   */
  boolean confirm(Held held, boolean paused) {
    Standing standing = held.standing();
    if (standing.epoch() == 0
        || standing.life().isOver()
        || isTrustedAtEnd(held)
        || serving.mayGoOn(held)) {
      return true;
    }
    if (!held.copy().isLost()) {
      if (check(held) == Verdict.TAKE_IN) {
        return true;
      }
    }
    return !paused; // it was the truth when the request began
  }

  private Verdict checkUnlessAsked(Held held, long asked) {
    if (held.checkedAtNanos() - asked >= 0 && held.copy().isUsable()) {
      return Verdict.TAKE_IN; // the one in front has asked since
    }
    return held.standing().life().isOver() ? Verdict.GONE : checkUnlessAway(held);
  }

  /** A check that waits when the store goes away ends as one that begins after that. */
  private Verdict checkUnlessAway(Held held) {
    try {
      return flights.check(held);
    } catch (StoreUnavailableException silent) {
      if (held.copy().isUsable() && serving.mayGoOn(held)) {
        return Verdict.TAKE_IN;
      }
      throw silent;
    }
  }

  private boolean isTrustedAtEnd(Held held) {
    return held.copy().isUsable() && store.nearCopyTrusted(held.checkedAtNanos());
  }

  /**
   * Asks about a copy that is in doubt, or that nobody uses.
   *
   * @param held a session
   * @return {@code TAKE_IN}, {@code RECLAIM} or {@code GONE}
   */
  Verdict check(Held held) {
    long asked = System.nanoTime();
    return flights.alone(held, () -> checkUnlessAsked(held, asked));
  }

  // ---- Places

  private Slot slotOf(String bareId) {
    return byId.computeIfAbsent(bareId, this::newSlot);
  }

  private Slot newSlot(String bareId) {
    Slot slot = new Slot(bareId, ids.key(bareId));
    byKey.put(slot.key, slot);
    return slot;
  }

  /** A look-up that found nothing leaves nothing, unless a session was entered meanwhile. */
  private void forgetIfEmpty(Slot slot) {
    byId.computeIfPresent(
        slot.bareId,
        (bareId, present) -> {
          if (present != slot || slot.held != null) {
            return present;
          }
          byKey.remove(slot.key, slot);
          return null;
        });
  }

  private void forget(Slot slot) {
    if (byId.remove(slot.bareId, slot)) {
      byKey.remove(slot.key, slot);
    }
  }

  /**
   * Enters a session that was made here.
   *
   * @param bareId its id
   * @param live the session
   * @return how it is kept
   */
  Held create(String bareId, Live live) {
    Held[] made = new Held[1];
    byId.compute(
        bareId,
        (id, present) -> {
          Slot slot = present == null ? newSlot(id) : present;
          made[0] = new Held(live, slot.key, slot.endings());
          made[0].happened(Life.Event.CREATED);
          live.keptBy(made[0]);
          slot.held = made[0];
          return slot;
        });
    absent.remove(bareId);
    return made[0];
  }

  /**
   * Gives a session its place under an id.
   *
   * @param held a session
   * @param bareId where it goes
   */
  void enter(Held held, String bareId) {
    byId.compute(
        bareId,
        (id, present) -> {
          Slot slot = present == null ? newSlot(id) : present;
          slot.enter(held);
          held.moveTo(slot.key);
          return slot;
        });
    absent.remove(bareId);
  }

  /**
   * Takes a session out, from here only.
   *
   * @param bareId its id
   * @param held the session
   */
  void remove(String bareId, Held held) {
    Slot slot = byId.get(bareId);
    if (slot != null && slot.held == held && !(held.owedRemoval() && serving.owes(held))) {
      forget(slot);
    }
  }

  /**
   * The place of a key.
   *
   * @param key a key
   * @return null if neither a session nor a look-up is here
   */
  Slot slot(SessionKey key) {
    return byKey.get(key);
  }

  /**
   * All sessions here.
   *
   * @return a snapshot
   */
  List<Held> all() {
    List<Held> all = new ArrayList<>();
    for (Slot slot : byId.values()) {
      Held held = slot.held;
      if (held != null) {
        all.add(held);
      }
    }
    return all;
  }

  /**
   * How many places there are, those of look-ups under way included.
   *
   * @return a count
   */
  int size() {
    return byId.size();
  }
}
