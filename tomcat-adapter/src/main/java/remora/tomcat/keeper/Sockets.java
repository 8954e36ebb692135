package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.NewsListener;
import remora.tomcat.store.SessionKey;

/**
 * The open sockets of sessions. One whose session has ended is closed at once, wherever it ended;
 * one whose session has moved is closed when it has not come back for a while, so that its client
 * opens another one where the session is.
 *
 * <p>Ends are told by who notices them. Beside that, it looks every second where the sessions with
 * sockets are: whatever takes one away is noticed then, if not before. The store is asked to tell
 * what becomes of those that are away.
 *
 * <p>Invariants: a socket is closed once, under no lock and on no thread that anything else waits
 * for; no session is taken for ended because the store was not heard.
 *
 * <p>Left out on purpose: how a socket is closed, which is the {@link OpenSocket}'s.
 */
public final class Sockets implements NewsListener {

  private static final Log log = LogFactory.getLog(Sockets.class);

  /** How often it is looked where sessions are, in milliseconds. */
  static final long LOOKS_MILLIS = 1_000;

  /** How long a session may be away before its sockets are closed. */
  static final long AWAY_NANOS_MAX = TimeUnit.SECONDS.toNanos(30);

  /** They are closed spread over so long: their clients all come to the same Tomcats. */
  static final long SPREAD_NANOS = TimeUnit.SECONDS.toNanos(10);

  /** A connection that nobody has taken over after so long never will be. */
  private static final long OPENING_NANOS_MAX = TimeUnit.SECONDS.toNanos(60);

  /** Sessions about which the store is asked in one look, after it was not heard for a while. */
  private static final int ASKED_PER_LOOK_MAX = 64;

  private static final int POLICY_VIOLATED = 1008;

  private static final int SERVICE_RESTARTS = 1012;

  /** Where sessions are, as far as this Tomcat knows. Asks nobody and waits for nothing. */
  interface Whereabouts {

    /**
     * Where a session is.
     *
     * @param key which
     * @param createdVersion names its life; 0 if it had no record when that was asked last
     * @return where it is now
     */
    Place find(SessionKey key, long createdVersion);

    /**
     * Asks the store about a session that is here, soon and on another thread.
     *
     * @param key which
     */
    void ask(SessionKey key);

    /**
     * Has the store tell what becomes of a session that is away.
     *
     * @param key which
     * @param createdVersion names its life
     */
    void watch(SessionKey key, long createdVersion);

    /**
     * Ends what {@link #watch} began.
     *
     * @param key which
     */
    void unwatch(SessionKey key);
  }

  /** Where a session is. */
  static final class Place {
    /** It has ended here, or never had a record and is gone. */
    static final Place OVER = new Place(false, false, 0);

    private final boolean here;
    private final boolean alive;
    private final long createdVersion;

    private Place(boolean here, boolean alive, long createdVersion) {
      this.here = here;
      this.alive = alive;
      this.createdVersion = createdVersion;
    }

    /** It can be used here. */
    static Place here(long createdVersion) {
      return new Place(true, true, createdVersion);
    }

    /** It is not here; the store knows whether it lives. */
    static Place away(long createdVersion) {
      return createdVersion == 0 ? OVER : new Place(false, true, createdVersion);
    }
  }

  /** Runs something after so many milliseconds, on a thread that waits for nothing. */
  interface Timer {
    void after(long millis, Runnable work);
  }

  /** The sockets of one session. */
  private static final class Opened {
    private final List<Entry> entries = new ArrayList<>(1);
    private long createdVersion;
    private boolean away;

    /** When its sockets are closed unless it comes back; only while it is away. */
    private long dueNanos;

    private boolean doubtful;
  }

  /** One socket. */
  private static final class Entry {
    private final OpenSocket socket;
    private final long sinceNanos;
    private int code;
    private String reason;

    private Entry(OpenSocket socket, long sinceNanos) {
      this.socket = socket;
      this.sinceNanos = sinceNanos;
    }

    private boolean isOver(long nowNanos) {
      OpenSocket.Stage stage = socket.stage();
      return stage == OpenSocket.Stage.CLOSED
          || stage == OpenSocket.Stage.OPENING && nowNanos - sinceNanos > OPENING_NANOS_MAX;
    }
  }

  private final Whereabouts whereabouts;
  private final Timer timer;
  private final Executor closing;
  private final LongSupplier jitterNanos;
  private final LongAdder notClosed = new LongAdder();

  /** Guarded by this, as what is in it; a snapshot can be read without. */
  private final Map<SessionKey, Opened> bySession = new ConcurrentHashMap<>();

  /** To be closed as soon as somebody has taken the connection over. */
  private final List<Entry> opening = new ArrayList<>();

  private boolean looks;
  private boolean stopped;

  /**
   * No sockets yet.
   *
   * @param whereabouts where sessions are
   * @param timer for the next look
   * @param closing where sockets are closed, for which nothing else waits
   * @param jitterNanos drawn for each session that goes away: 0 to {@link #SPREAD_NANOS}
   */
  Sockets(Whereabouts whereabouts, Timer timer, Executor closing, LongSupplier jitterNanos) {
    this.whereabouts = whereabouts;
    this.timer = timer;
    this.closing = closing;
    this.jitterNanos = jitterNanos;
  }

  // ---- What the face tells

  /**
   * A connection changes protocols in a session.
   *
   * @param held the session
   * @param socket the connection, or null if nobody here knows how to close it
   */
  public void opened(Held held, OpenSocket socket) {
    if (socket == null) {
      notClosed.increment();
    } else {
      opened(held.key(), held.standing().createdVersion(), socket);
    }
  }

  synchronized void opened(SessionKey key, long createdVersion, OpenSocket socket) {
    if (stopped) {
      return; // Tomcat closes it
    }
    Opened opened = bySession.computeIfAbsent(key, absent -> new Opened());
    opened.createdVersion = createdVersion;
    opened.entries.add(new Entry(socket, System.nanoTime()));
    lookLater();
  }

  /**
   * How many sockets stay open whatever becomes of their sessions, as nobody here can close them,
   * and how many met an error when they were closed.
   *
   * @return a count that rises for ever
   */
  public long notClosed() {
    return notClosed.sum();
  }

  // ---- What the keeper tells

  /** A session has another key here. */
  synchronized void renamedHere(SessionKey key, SessionKey newKey) {
    Opened moved = bySession.remove(key);
    if (moved == null) {
      return;
    }
    if (moved.away) {
      whereabouts.unwatch(key);
    }
    moved.away = false;
    join(newKey, moved);
  }

  /** A session has ended. */
  @Override
  public void ended(SessionKey key, long createdVersion) {
    close(take(key, createdVersion), POLICY_VIOLATED, "the session has ended");
  }

  private synchronized List<Entry> take(SessionKey key, long createdVersion) {
    Opened ended = bySession.get(key);
    boolean same =
        ended != null
            && (ended.createdVersion == createdVersion
                || ended.createdVersion == 0
                || createdVersion == 0);
    if (!same) {
      return new ArrayList<>();
    }
    bySession.remove(key);
    if (ended.away) {
      whereabouts.unwatch(key);
    }
    return ended.entries;
  }

  /** A session that is away has another key; the store watches it there. */
  @Override
  public synchronized void renamed(SessionKey key, SessionKey newKey) {
    Opened moved = bySession.remove(key);
    if (moved == null) {
      whereabouts.unwatch(newKey);
    } else {
      join(newKey, moved);
    }
  }

  private void join(SessionKey newKey, Opened moved) {
    Opened there = bySession.putIfAbsent(newKey, moved);
    if (there != null) {
      there.entries.addAll(moved.entries);
      if (moved.away && !there.away) {
        whereabouts.unwatch(newKey);
      }
    }
  }

  /** A session lives on here as a record of its own, as its old one went elsewhere. */
  synchronized void startsOver(SessionKey key) {
    Opened opened = bySession.get(key);
    if (opened != null) {
      opened.createdVersion = 0;
    }
  }

  /** The store is heard again: it may have ended sessions that are here, unheard. */
  synchronized void doubtAll() {
    bySession.values().forEach(opened -> opened.doubtful = true);
  }

  /** The application stops; Tomcat closes what is open. */
  synchronized void stop() {
    stopped = true;
    bySession.clear();
    opening.clear();
  }

  // ---- Looking

  private void lookLater() {
    if (!looks && !stopped) {
      looks = true;
      timer.after(LOOKS_MILLIS, this::lookAgain);
    }
  }

  private void lookAgain() {
    try {
      look(System.nanoTime());
    } finally {
      synchronized (this) {
        looks = false;
        if (!bySession.isEmpty() || !opening.isEmpty()) {
          lookLater();
        }
      }
    }
  }

  /**
   * Looks where all sessions with sockets are.
   *
   * @param nowNanos monotonic
   */
  void look(long nowNanos) {
    closeTaken(nowNanos);
    int asked = 0;
    for (SessionKey key : bySession.keySet()) {
      look(key, nowNanos);
      if (asked < ASKED_PER_LOOK_MAX && isDoubtful(key)) {
        asked++;
        whereabouts.ask(key);
      }
    }
  }

  private synchronized boolean isDoubtful(SessionKey key) {
    Opened opened = bySession.get(key);
    boolean doubtful = opened != null && opened.doubtful && !opened.away;
    if (doubtful) {
      opened.doubtful = false;
    }
    return doubtful;
  }

  /**
   * Looks where one session is.
   *
   * @param key which
   * @param nowNanos monotonic
   */
  void look(SessionKey key, long nowNanos) {
    List<Entry> closes = new ArrayList<>();
    int code = POLICY_VIOLATED;
    synchronized (this) {
      Opened opened = bySession.get(key);
      if (opened == null) {
        return;
      }
      opened.entries.removeIf(entry -> entry.isOver(nowNanos));
      Place place = whereabouts.find(key, opened.createdVersion);
      if (opened.entries.isEmpty() || !place.alive) {
        closes.addAll(take(key, 0));
      } else if (place.here) {
        here(key, opened, place.createdVersion);
      } else if (!opened.away) {
        opened.away = true;
        opened.createdVersion = place.createdVersion;
        opened.dueNanos = nowNanos + AWAY_NANOS_MAX + jitterNanos.getAsLong();
        whereabouts.watch(key, place.createdVersion);
      } else if (nowNanos - opened.dueNanos >= 0) {
        closes.addAll(take(key, 0));
        code = SERVICE_RESTARTS;
      }
    }
    close(
        closes,
        code,
        code == SERVICE_RESTARTS
            ? "the session is on another server: connect again"
            : "the session has ended");
  }

  private void here(SessionKey key, Opened opened, long createdVersion) {
    if (opened.away) {
      whereabouts.unwatch(key);
    }
    opened.away = false;
    opened.createdVersion = createdVersion;
  }

  // ---- Closing

  private void closeTaken(long nowNanos) {
    List<Entry> taken = new ArrayList<>();
    synchronized (this) {
      for (Iterator<Entry> entries = opening.iterator(); entries.hasNext(); ) {
        Entry entry = entries.next();
        if (entry.isOver(nowNanos)) {
          entries.remove();
        } else if (entry.socket.stage() == OpenSocket.Stage.OPEN) {
          entries.remove();
          taken.add(entry);
        }
      }
    }
    taken.forEach(entry -> close(entry, entry.code, entry.reason));
  }

  private void close(List<Entry> entries, int code, String reason) {
    for (Entry entry : entries) {
      if (entry.socket.stage() == OpenSocket.Stage.OPENING) {
        closeOnceTaken(entry, code, reason);
      } else {
        close(entry, code, reason);
      }
    }
  }

  private synchronized void closeOnceTaken(Entry entry, int code, String reason) {
    entry.code = code;
    entry.reason = reason;
    opening.add(entry);
    lookLater();
  }

  private void close(Entry entry, int code, String reason) {
    closing.execute(
        () -> {
          try {
            entry.socket.close(code, reason);
          } catch (Exception broken) {
            if (entry.socket.stage() != OpenSocket.Stage.CLOSED) {
              notClosed.increment();
              log.warn("A socket of a session that " + code + " ends could not be closed", broken);
            }
          }
        });
  }
}
