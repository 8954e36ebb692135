package remora.tomcat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.ReentrantLock;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredSession;

/**
 * The sessions that this Tomcat holds, by bare id, and the look-up that every request begins with:
 * the copy itself while it may be trusted, else a check, else a claim.
 *
 * <p>A slot is there before the claim that fills it is sent, so that the news that the session is
 * lost again is never missed, however the reply and the news overtake each other. Parallel look-ups
 * of one session share one round trip, and the wait for a store that does not answer it.
 */
final class NearCopies {

  /** A serial that was overtaken by another of this JVM is drawn again, once. */
  private static final int STALE_TRIES = 2;

  /** A lost copy that nobody uses is kept this long, so that a request about to use it finds it. */
  private static final long LOST_KEEP_NANOS = 60_000_000_000L;

  /** The place of one session. */
  static final class Slot {
    private final ReentrantLock lock = new ReentrantLock();
    private final String bareId;
    private final SessionKey key;
    private final SharedSilence silence = new SharedSilence();
    private volatile RemoraSession session;
    private volatile long lostEpoch;
    private volatile long lostAtNanos;

    private Slot(String bareId, SessionKey key) {
      this.bareId = bareId;
      this.key = key;
    }

    /**
     * The last ownership that this Tomcat was told to have lost.
     *
     * @return an epoch, 0 for none
     */
    long lostEpoch() {
      return lostEpoch;
    }
  }

  /** What the look-up needs of the manager. */
  interface Host {

    /**
     * Makes a session of a record and enters it.
     *
     * @param id the id that was asked for
     * @param record what was claimed
     * @return the session, placed and listed
     */
    RemoraSession activate(String id, StoredSession record);
  }

  private final SessionStore store;
  private final SessionIds ids;
  private final Host host;
  private final AbsentIds absent = new AbsentIds();
  private final ConcurrentMap<String, Slot> byId = new ConcurrentHashMap<>();
  private final ConcurrentMap<SessionKey, Slot> byKey = new ConcurrentHashMap<>();

  NearCopies(SessionStore store, SessionIds ids, Host host) {
    this.store = store;
    this.ids = ids;
    this.host = host;
  }

  /**
   * Finds a session.
   *
   * @param id as the client sent it, whatever its route
   * @return the session, or null if there certainly is none
   * @throws StoreUnavailableException if the store does not answer; never taken for "none"
   */
  RemoraSession find(String id) {
    if (!SessionIds.isPlausible(id)) {
      return null;
    }
    long began = System.nanoTime();
    String bareId = SessionIds.bare(id);
    while (true) {
      Slot slot = byId.get(bareId);
      if (slot != null) {
        RemoraSession session = slot.session;
        if (session != null && isUsable(session)) {
          return session;
        }
      } else if (absent.contains(bareId)) {
        return null;
      } else {
        slot = slotOf(bareId);
      }
      Found found = findIn(slot, id, began);
      if (found != null) {
        return found.session;
      }
    }
  }

  private Found findIn(Slot slot, String id, long began) {
    slot.lock.lock();
    try {
      slot.silence.rethrow(began);
      if (byId.get(slot.bareId) != slot) {
        return null;
      }
      return findLocked(slot, id);
    } finally {
      forgetIfEmpty(slot);
      slot.lock.unlock();
    }
  }

  private boolean isUsable(RemoraSession session) {
    return session.isLive()
        && !session.unusable
        && (session.epoch() == 0
            || !session.isLost()
                && !session.isIdleTooLong(0)
                && store.nearCopyTrusted(session.checkedAtNanos));
  }

  private Found findLocked(Slot slot, String id) {
    RemoraSession session = slot.session;
    try {
      if (session == null || !session.isLive()) {
        return new Found(claim(slot, id, null));
      }
      if (isUsable(session)) {
        return new Found(session);
      }
      Standing standing = session.unusable || session.isLost() ? Standing.MOVED : check(session);
      if (standing == Standing.MOVED) {
        return new Found(claim(slot, id, session));
      } else if (standing == Standing.GONE) {
        absent.add(slot.bareId);
        session.expireGone();
        return new Found(null);
      }
      return new Found(session);
    } catch (StoreUnavailableException silent) {
      slot.silence.remember(silent);
      throw silent;
    }
  }

  /** What a look-up ends with. */
  private static final class Found {
    private final RemoraSession session;

    private Found(RemoraSession session) {
      this.session = session;
    }
  }

  /** What a check found. */
  private enum Standing {
    /** The copy is the truth, or has become it. */
    TRUE,
    /** Somebody else owns the session. */
    MOVED,
    /** The session ended while this Tomcat owned it. */
    GONE
  }

  /**
   * Asks whether a copy is still the truth, and brings it up to date if this Tomcat owns it.
   *
   * @param session a session with a record
   * @return how it stands
   */
  private Standing check(RemoraSession session) {
    long asked = System.nanoTime();
    return session.flights.alone(() -> checkAlone(session, asked));
  }

  private Standing checkAlone(RemoraSession session, long asked) {
    if (session.checkedAtNanos - asked >= 0 && !session.unusable && !session.isLost()) {
      return Standing.TRUE; // the one in front has asked since
    }
    long before = System.nanoTime();
    long epoch = session.epoch();
    CheckOutcome outcome = store.check(session.key(), epoch, session.ledger.version());
    switch (outcome.kind()) {
      case CURRENT:
        break;
      case NEWER:
        session.refresh(outcome.session());
        break;
      case GONE:
        lost(session.key(), epoch);
        return Standing.GONE;
      default:
        lost(session.key(), epoch);
        return Standing.MOVED;
    }
    session.checkedAtNanos = before;
    return Standing.TRUE;
  }

  /**
   * Whether a copy may be shown at the end of a request that changed nothing.
   *
   * @param session a session
   * @param paused whether this process stood still during the request
   * @return false if somebody else may have changed it before the request really ran
   */
  boolean confirm(RemoraSession session, boolean paused) {
    if (session.epoch() == 0 || !session.isLive()) {
      return true;
    }
    if (!session.isLost()
        && (store.nearCopyTrusted(session.checkedAtNanos) || check(session) == Standing.TRUE)) {
      return true;
    }
    return !paused; // it was the truth when the request began
  }

  /**
   * Asks about a copy that nobody uses: ends it here if it has ended, and never takes it back from
   * another Tomcat.
   *
   * @param session a session
   * @throws StoreUnavailableException if the store does not answer
   */
  void review(RemoraSession session) {
    if (session.epoch() != 0
        && session.isLive()
        && !session.isLost()
        && check(session) == Standing.GONE) {
      session.expireGone();
    }
  }

  private RemoraSession claim(Slot slot, String id, RemoraSession old) {
    return old == null
        ? claimAlone(slot, id, null)
        : old.flights.alone(() -> claimAlone(slot, id, old));
  }

  private RemoraSession claimAlone(Slot slot, String id, RemoraSession old) {
    for (int i = 0; i < STALE_TRIES; i++) {
      long before = System.nanoTime();
      ClaimOutcome outcome = store.claim(store.nextSerial(), slot.key);
      if (outcome.kind() == ClaimOutcome.Kind.CLAIMED) {
        StoredSession record = outcome.session();
        RemoraSession session = old;
        if (old == null || old.ledger.createdVersion() != record.createdVersion()) {
          session = host.activate(id, record);
        } else {
          old.refresh(record);
        }
        session.checkedAtNanos = before;
        return session;
      }
      if (outcome.kind() != ClaimOutcome.Kind.STALE) {
        absent.add(slot.bareId);
        forget(slot);
        if (old != null) {
          old.vanish();
        }
        return null;
      }
    }
    throw new StoreUnavailableException(
        "other requests of this Tomcat overtook a claim; try again");
  }

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
          if (present != slot || slot.session != null) {
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
   * Enters a session under its id.
   *
   * @param session a session with an id
   */
  void add(RemoraSession session) {
    Slot slot =
        byId.compute(
            SessionIds.bare(session.getIdInternal()),
            (bareId, present) -> {
              Slot entered = present == null ? newSlot(bareId) : present;
              entered.session = session;
              return entered;
            });
    session.place(slot.key, slot);
  }

  /**
   * Takes a session out, from here only.
   *
   * @param session a session
   */
  void remove(RemoraSession session) {
    String id = session.getIdInternal();
    Slot slot = id == null ? null : byId.get(SessionIds.bare(id));
    if (slot != null && slot.session == session) {
      forget(slot);
    }
  }

  /**
   * A session with this key, if it is here.
   *
   * @param key a key
   * @return the session or null
   */
  RemoraSession get(SessionKey key) {
    Slot slot = byKey.get(key);
    return slot == null ? null : slot.session;
  }

  /**
   * Remembers that an ownership has ended. Quick; asks nobody.
   *
   * @param key which session
   * @param epoch the ownership
   * @return the session whose copy was held under it, or null
   */
  RemoraSession lost(SessionKey key, long epoch) {
    Slot slot = byKey.get(key);
    if (slot == null) {
      return null;
    }
    slot.lostAtNanos = System.nanoTime();
    slot.lostEpoch = epoch;
    RemoraSession session = slot.session;
    return session != null && session.isLost() ? session : null;
  }

  /**
   * What a push means here: the copy is out of use when this returns.
   *
   * @param key which session
   * @param kind what happened
   * @param epoch the ownership that was lost
   * @return a session to be ended with its listeners, or null
   */
  RemoraSession pushed(SessionKey key, PushListener.Kind kind, long epoch) {
    RemoraSession session = lost(key, epoch);
    return kind == PushListener.Kind.OWNERSHIP_LOST ? null : session;
  }

  /**
   * All sessions here.
   *
   * @return a snapshot
   */
  List<RemoraSession> all() {
    List<RemoraSession> sessions = new ArrayList<>();
    for (Slot slot : byId.values()) {
      RemoraSession session = slot.session;
      if (session != null) {
        sessions.add(session);
      }
    }
    return sessions;
  }

  /**
   * Copies of lost sessions that nobody uses any more.
   *
   * @return sessions to be taken out
   */
  List<RemoraSession> abandoned() {
    long now = System.nanoTime();
    List<RemoraSession> sessions = new ArrayList<>();
    for (Slot slot : byId.values()) {
      RemoraSession session = slot.session;
      if (session != null
          && session.isLost()
          && !session.isInUse()
          && now - slot.lostAtNanos > LOST_KEEP_NANOS) {
        sessions.add(session);
      }
    }
    return sessions;
  }
}
