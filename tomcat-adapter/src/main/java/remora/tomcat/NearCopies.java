package remora.tomcat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.ReentrantLock;
import remora.tomcat.store.CheckOutcome;
import remora.tomcat.store.ClaimOutcome;
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
    private volatile long endedEpoch;
    private volatile long lostAtNanos;

    private Slot(String bareId, SessionKey key) {
      this.bareId = bareId;
      this.key = key;
    }

    /**
     * Whether an ownership has ended, as far as this Tomcat was told.
     *
     * @param epoch an ownership of this Tomcat
     * @return true from the news of its end, or of a later one's, on
     */
    boolean hasLost(long epoch) {
      return Long.compareUnsigned(lostEpoch, epoch) >= 0;
    }

    /**
     * Whether the session itself ended while this Tomcat owned it.
     *
     * @param epoch an ownership of this Tomcat
     * @return true from the news on
     */
    boolean hasEnded(long epoch) {
      return endedEpoch == epoch;
    }

    /** Ownerships end in order: late news of an old one says nothing about a newer one. */
    private synchronized void lose(long epoch, boolean ended) {
      if (Long.compareUnsigned(epoch, lostEpoch) > 0) {
        lostEpoch = epoch;
        lostAtNanos = System.nanoTime();
      }
      if (ended && Long.compareUnsigned(epoch, endedEpoch) > 0) {
        endedEpoch = epoch;
      }
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

    /**
     * Finds out what became of a change of a session's id.
     *
     * @param session a session with a {@link RemoraSession#pendingRename}, which is null afterwards
     * @return the id that the session has now
     */
    String finishRename(RemoraSession session);
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
        if (session != null && session.isLive() && session.pendingRename != null) {
          return find(host.finishRename(session));
        }
      } else if (absent.contains(bareId)) {
        return null;
      } else {
        slot = slotOf(bareId);
      }
      Found found = findIn(slot, id, began);
      if (found != null) {
        if (found.ended != null) {
          found.ended.expireGone();
        }
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
        return claim(slot, id, null);
      }
      if (isUsable(session)) {
        return new Found(session, null);
      }
      Standing standing = session.unusable || session.isLost() ? Standing.MOVED : check(session);
      if (standing == Standing.MOVED) {
        return claim(slot, id, session);
      } else if (standing == Standing.GONE) {
        absent.add(slot.bareId);
        forget(slot);
        return new Found(null, session);
      }
      return new Found(session, null);
    } catch (StoreUnavailableException silent) {
      slot.silence.remember(silent);
      throw silent;
    }
  }

  /** What a look-up ends with. */
  private static final class Found {
    private final RemoraSession session;

    /** A session that has ended here; its listeners are called without a lock. */
    private final RemoraSession ended;

    private Found(RemoraSession session, RemoraSession ended) {
      this.session = session;
      this.ended = ended;
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
        ended(session.key(), epoch);
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

  private Found claim(Slot slot, String id, RemoraSession old) {
    return old == null
        ? claimAlone(slot, id, null)
        : old.flights.alone(() -> claimAlone(slot, id, old));
  }

  private Found claimAlone(Slot slot, String id, RemoraSession old) {
    for (int i = 0; i < SessionCommands.STALE_TRIES; i++) {
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
        return new Found(session, null);
      }
      if (outcome.kind() != ClaimOutcome.Kind.STALE) {
        absent.add(slot.bareId);
        forget(slot);
        if (old != null && outcome.kind() == ClaimOutcome.Kind.GONE && old.hasEndedHere()) {
          return new Found(null, old);
        } else if (old != null) {
          old.vanish();
        }
        return new Found(null, null);
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
   * Remembers that an ownership has ended: its copy is out of use when this returns. Quick; asks
   * nobody.
   *
   * @param key which session
   * @param epoch the ownership
   */
  void lost(SessionKey key, long epoch) {
    Slot slot = byKey.get(key);
    if (slot != null) {
      slot.lose(epoch, false);
    }
  }

  /**
   * As {@link #lost}, for a session that has ended under that ownership: its listeners are called
   * here.
   *
   * @param key which session
   * @param epoch the ownership
   * @return a session to be ended with its listeners, or null
   */
  RemoraSession ended(SessionKey key, long epoch) {
    Slot slot = byKey.get(key);
    if (slot == null) {
      return null;
    }
    slot.lose(epoch, true);
    RemoraSession session = slot.session;
    return session != null && session.epoch() == epoch ? session : null;
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
