package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Verdict;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredSession;

/**
 * Keeps the sessions of one application: finds them, lets answers leave when what they show is
 * stored, renames and ends them, and gives them up when this Tomcat stops. The face that Tomcat
 * sees stands before it; round trips, locks and threads stand behind it.
 */
public final class Keeper {

  /** What the keeper needs of the face. */
  public interface Host {

    /**
     * Makes a live session of a record, entered nowhere yet.
     *
     * @param id the id that was asked for; for a session that has expired, what stands for it
     * @param record what was claimed, or what has expired
     * @return the session
     */
    Live make(String id, StoredSession record);

    /**
     * Lists a session that was made of a record, and tells it that it has come.
     *
     * @param live from {@link #make}
     */
    void arrived(Live live);

    /**
     * Tells a session that is listed already that it has come back from another Tomcat.
     *
     * @param live the session
     */
    void returned(Live live);

    /**
     * Tells the application that a session has another id.
     *
     * @param live the session, which has it already
     * @param oldId the id before
     */
    void renamed(Live live, String oldId);
  }

  private final Host host;
  private final SessionIds ids;
  private final PauseTicker ticker;
  private final Flights flights;
  private final Copies copies;
  private final Settler settler;
  private final Serving serving;
  private final Debts debts;
  private final ApplicationThread listeners;
  private final ApplicationThread closing;
  private final Sockets sockets;
  private final Ends ends;
  private final Touches touches;
  private final Handovers handovers;
  private final Leavers leavers;
  private final LateChanges lateChanges;
  private final IdleReview idle;
  private final Departure departure;
  private final LongAdder refused = new LongAdder();

  /**
   * Keeps the sessions of an application.
   *
   * @param settings what it is told
   * @param store where the records are
   * @param encoder looks at values
   * @param host the face
   */
  public Keeper(KeeperSettings settings, SessionStore store, Encoder encoder, Host host) {
    this.host = host;
    this.ids = settings.ids;
    this.ticker = settings.ticker;
    flights = new Flights(store, ticker, settings.turnNanosMax());
    serving = new Serving(store, settings.serves);
    listeners = new ApplicationThread("remora-listeners-" + settings.application, settings.loader);
    closing =
        new ApplicationThread(
            "remora-sockets-" + settings.application,
            Keeper.class.getClassLoader(), // Tomcat puts the application's around its code itself
            CLOSED_AT_ONCE_MAX);
    copies = new Copies(store, ids, flights, serving, host::make);
    sockets =
        new Sockets(
            new SocketSessions(copies, store, this::askSoon),
            this::later,
            closing,
            () -> ThreadLocalRandom.current().nextLong(Sockets.SPREAD_NANOS));
    Burials burials = new Burials(store, settings.application);
    ends = new Ends(listeners, sockets, burials);
    touches = new Touches(store, copies, ends, settings.application);
    Saves saves = new Saves(store, settings, serving);
    debts =
        new Debts(
            settings.application,
            serving,
            flights,
            saves,
            ends,
            touches::execute,
            this::paid,
            (held, oldId) -> listeners.execute(() -> host.renamed(held.live(), oldId)));
    settler = new Settler(flights, saves, serving, debts, copies, encoder, ends);
    lateChanges = new LateChanges(settler, settings);
    idle = new IdleReview(copies, ends, serving, touches::execute);
    leavers = new Leavers(burials, copies, host::make, listeners);
    handovers = new Handovers(copies, serving, ends, leavers, sockets, settings.application);
    departure = new Departure(flights, settler);
    store.onPush(settings.application, handovers::pushed);
    store.onNews(settings.application, sockets);
    store.onState(this::changed);
  }

  private void changed(StoreState state) {
    debts.changed(state);
    if (state.kind() == StoreState.Kind.LED) {
      sockets.doubtAll();
    }
  }

  private void askSoon(Held held) {
    idle.askSoon(held);
  }

  private void later(long millis, Runnable work) {
    handovers.after(millis, work);
  }

  /** Sockets closed at a time: each may block for as long as its client is slow. */
  private static final int CLOSED_AT_ONCE_MAX = 16;

  /** Begins to tell the store which sessions are in use. */
  public void start() {
    touches.start();
  }

  // ---- Look-ups

  /**
   * Finds a session, wherever it lives now.
   *
   * @param id as the client sent it, whatever its route
   * @param visit the request, or null
   * @return the session, or null if there certainly is none
   * @throws StoreUnavailableException if the store does not answer; never taken for "none"
   */
  public Live find(String id, Visit visit) {
    Held near = copies.trusted(SessionIds.bare(id));
    if (near != null && given(near, visit)) {
      return near.live();
    }
    return SessionIds.isPlausible(id) ? findFar(id, visit) : null;
  }

  private Live findFar(String id, Visit visit) {
    long began = System.nanoTime();
    String wanted = id;
    while (true) {
      Held held = copies.trusted(SessionIds.bare(wanted));
      if (held != null && given(held, visit)) {
        return held.live();
      } else if (held == null && copies.isAbsent(SessionIds.bare(wanted))) {
        return null;
      } else if (held == null) {
        Copies.Found found = ask(wanted, visit, began);
        if (found != null) {
          return found.held == null ? null : found.held.live();
        }
        Held unsettled = copies.unsettled(SessionIds.bare(wanted));
        wanted = unsettled == null ? id : settleFirst(unsettled);
      }
    }
  }

  /**
   * Finds a session without asking anybody.
   *
   * @param id as the client sent it, whatever its route
   * @param visit the request, or null
   * @return the session, or null if it is not here or may be another's by now
   */
  public Live findHere(String id, Visit visit) {
    Held held = copies.trusted(SessionIds.bare(id));
    return held != null && given(held, visit) ? held.live() : null;
  }

  /** A request that was given a copy just as it went is given another. */
  private boolean given(Held held, Visit visit) {
    if (visit != null) {
      visit.of(held);
      return held.copy().isUsable();
    }
    return true;
  }

  private Copies.Found ask(String id, Visit visit, long began) {
    if (copies.unsettled(SessionIds.bare(id)) != null) {
      return null;
    }
    if (visit != null) {
      visit.asks(true);
    }
    try {
      Copies.Found found = copies.ask(id, began);
      if (found != null && found.ended != null) {
        ends.tellIfOver(found.ended);
      }
      if (found != null && found.held != null) {
        ends.letGo(found.held);
        if (visit != null) {
          visit.of(found.held);
        }
        if (found.coming == Copies.Coming.MADE) {
          host.arrived(found.held.live());
        } else if (found.coming == Copies.Coming.RETURNED) {
          host.returned(found.held.live());
        }
      }
      return found;
    } finally {
      if (visit != null) {
        visit.asks(false);
      }
    }
  }

  /** What it owes, and a change of its id, come before anything else; gives the id it has then. */
  private String settleFirst(Held held) {
    debts.pay(held);
    String oldId = held.live().id();
    if (flights.alone(held, () -> flights.finishRenames(held))) {
      host.renamed(held.live(), oldId);
    }
    return held.live().id();
  }

  /**
   * Keeps a session that the application has made.
   *
   * @param live the session
   */
  public void create(Live live) {
    copies.create(SessionIds.bare(live.id()), live);
  }

  /**
   * Gives a session its place under its id; the store knows the id already, or never will.
   *
   * @param held the session
   * @param id its id now
   */
  public void enter(Held held, String id) {
    SessionKey before = held.key();
    copies.enter(held, SessionIds.bare(id));
    if (!before.equals(held.key())) {
      sockets.renamedHere(before, held.key());
    }
  }

  /**
   * Takes a session out, from here only.
   *
   * @param held the session
   * @param id its id
   */
  public void remove(Held held, String id) {
    copies.remove(SessionIds.bare(id), held);
  }

  /**
   * All sessions here.
   *
   * @return a snapshot
   */
  public List<Live> all() {
    List<Live> all = new ArrayList<>();
    for (Held held : copies.all()) {
      all.add(held.live());
    }
    return all;
  }

  /**
   * How many sessions and look-ups under way there are.
   *
   * @return a count
   */
  public int size() {
    return copies.size();
  }

  /** A session owes nothing any more: one that has ended goes, one that starts over is made. */
  private void paid(Held held) {
    if (held.standing().epoch() == 0) {
      sockets.startsOver(held.key());
    }
    if (held.standing().life().isOver()) {
      copies.remove(SessionIds.bare(held.live().id()), held);
    } else if (held.isOpen()) {
      changedOutside(held);
    }
  }

  // ---- Answers

  /**
   * Waits until everything that a request has seen is stored, and the copies that it only read are
   * vouched for.
   *
   * @param visit the request
   * @param threads whether it has threads that are not known to be its own; what such threads have
   *     changed by now it answers for in any case
   * @throws SaveFailedException if something that it may have seen is not stored
   * @throws StoreUnavailableException if the store did not answer in time
   */
  public void settle(Visit visit, boolean threads) {
    for (Visit.Given seen = visit.seen(); seen != null; seen = seen.before) {
      Held held = seen.held;
      try {
        boolean vouched = settler.settle(held, seen.witness);
        if (threads || held.hasStrangers()) {
          vouched |= settler.settle(held, held.outside());
        }
        if (!vouched && !copies.confirm(held, ticker.pausedSince(visit.sinceNanos()))) {
          throw new SaveFailedException("the session went elsewhere while this Tomcat stood still");
        }
      } catch (RuntimeException | Error notSettled) {
        visit.failed(held);
        refused.increment();
        throw notSettled;
      }
    }
  }

  /**
   * Whether a request has changed something that is not stored yet. Cheap.
   *
   * @param visit the request
   * @return whether anything of its sessions is open
   */
  public boolean owes(Visit visit) {
    for (Visit.Given seen = visit.seen(); seen != null; seen = seen.before) {
      if (seen.held.isOpen()) {
        return true;
      }
    }
    return false;
  }

  // ---- Ids and ends

  /**
   * Gives a session another key in the store, atomically.
   *
   * @param held the session
   * @param newKey the key of the new id
   * @param newId the new id
   * @param visit the request, or null
   * @return false if the key is in use: draw another
   * @throws SaveFailedException if the session is not this Tomcat's any more
   */
  public boolean rename(Held held, SessionKey newKey, String newId, Visit visit) {
    long since = visit == null ? System.nanoTime() : visit.sinceNanos();
    for (int i = 0; i < RECLAIMS_MAX; i++) {
      Verdict verdict = flights.alone(held, () -> renameAlone(held, newKey, newId, since));
      if (verdict != Verdict.RECLAIM) {
        return verdict == Verdict.TAKE_IN;
      }
      takeBack(held, since);
    }
    throw new SaveFailedException("another Tomcat takes the session again and again");
  }

  /** Two Tomcats that log one user in at one moment take the session from each other so often. */
  private static final int RECLAIMS_MAX = 4;

  private Verdict renameAlone(Held held, SessionKey newKey, String newId, long since) {
    if (held.standing().epoch() == 0 && held.unknownSave() == null) {
      return Verdict.TAKE_IN;
    } else if (serving.mayGoOn(held)) {
      flights.renameLater(held, newKey, newId);
      serving.owe(held);
      return Verdict.TAKE_IN;
    } else if (held.copy().isLost()) {
      return Verdict.RECLAIM;
    }
    try {
      return flights.rename(held, newKey, newId, since);
    } catch (StoreUnavailableException silent) {
      if (!serving.mayGoOn(held)) {
        throw silent;
      }
      serving.owe(held); // it waits among the renames whose outcome is learned later
      return Verdict.TAKE_IN;
    }
  }

  private void takeBack(Held held, long since) {
    if (ticker.pausedSince(since)) {
      throw new SaveFailedException("the session went elsewhere while this Tomcat stood still");
    } else if (!flights.alone(held, () -> !held.copy().isLost() || copies.reclaim(held))) {
      throw new SaveFailedException("the session ended elsewhere before its id changed");
    }
    host.returned(held.live());
  }

  /**
   * The key of an id.
   *
   * @param id with or without a route
   * @return the key
   */
  public SessionKey key(String id) {
    return ids.key(SessionIds.bare(id));
  }

  /**
   * Ends a session in the store, whoever owns it.
   *
   * @param held the session
   * @throws StoreUnavailableException if the store does not answer; it may live on
   * @throws SaveFailedException if it is not where this Tomcat looked for it
   */
  public void end(Held held) {
    flights.alone(
        held,
        () -> {
          if (!held.standing().life().isOver()) {
            endAlone(held);
          }
          return null;
        });
    ends.closeSockets(held);
  }

  private void endAlone(Held held) {
    boolean stored = held.standing().epoch() != 0 || held.unknownSave() != null;
    if (stored && serving.mayGoOn(held)) {
      endLater(held);
      return;
    }
    try {
      flights.remove(held);
    } catch (StoreUnavailableException silent) {
      if (!serving.mayGoOn(held)) {
        throw silent;
      }
      endLater(held);
    }
  }

  private void endLater(Held held) {
    serving.owe(held);
    held.owedRemoval(true);
    held.happened(Life.Event.REMOVED);
  }

  // ---- Between requests

  /**
   * Remembers that a session was used.
   *
   * @param held the session
   */
  public void used(Held held) {
    touches.used(held);
  }

  /**
   * Remembers that a session is used that the store may be about to end.
   *
   * @param held the session
   */
  public void usedLate(Held held) {
    touches.usedLate(held);
  }

  /**
   * How long touches are collected: within twice that of its limit a session is touched at once.
   *
   * @return milliseconds
   */
  public static long touchMillis() {
    return Touches.COLLECTED_MILLIS;
  }

  /**
   * Saves a session that was changed while no request used it.
   *
   * @param held the session
   */
  public void changedOutside(Held held) {
    lateChanges.changed(held);
  }

  /**
   * Compares, a while after the last such reading, what threads were given that belong to no
   * request: a socket's or a timer's. What they have changed in place is saved late.
   *
   * @param held the session
   */
  public void readOutside(Held held) {
    touches.after(LateChanges.COMPARED_AFTER_MILLIS, held, () -> lateChanges.perhapsChanged(held));
  }

  /**
   * The sockets that were opened in sessions.
   *
   * @return who closes them
   */
  public Sockets sockets() {
    return sockets;
  }

  /** Ends sessions without a record that are idle for too long, and asks about the others. */
  public void expire() {
    idle.reviewSoon();
  }

  /**
   * Gives all sessions up: what is open is saved, then others may have them.
   *
   * @return how many were given up
   */
  public int stop() {
    sockets.stop();
    leavers.stop();
    touches.stop();
    int given = departure.leave(copies.all());
    debts.stop();
    handovers.stop();
    listeners.stop();
    lateChanges.stop();
    closing.stop();
    return given;
  }

  /**
   * How many sessions owe the store something that changed while it was away.
   *
   * @return a count
   */
  public int owing() {
    return serving.owing().size();
  }

  /**
   * How many answers were refused because something was not stored.
   *
   * @return a count that rises for ever
   */
  public long refused() {
    return refused.sum();
  }

  /**
   * How many values of the sessions here were found changed without {@code setAttribute}.
   *
   * @return a count
   */
  public long changedInPlace() {
    long changed = 0;
    for (Held held : copies.all()) {
      changed += held.copy().changedInPlace();
    }
    return changed;
  }
}
