package remora.tomcat.store;

import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The session store as one manager sees it.
 *
 * <h2>Contract</h2>
 *
 * <ul>
 *   <li>Every call blocks its thread until the store has answered, at most for the store timeout
 *       this handle was opened with. Elections, leader changes, broken connections and unknown
 *       outcomes are waited out inside by repeating the request with the same serial at whoever
 *       leads now; the caller never sees them.
 *   <li>An outcome, whatever its kind, is what certainly happened. Changes are on a majority of
 *       disks before the call returns.
 *   <li>{@link StoreRefusedException}: nothing happened and repeating cannot help.
 *   <li>{@link StoreUnavailableException}: no answer in time. Unless it says that the effect is
 *       none, the change may be stored already, or still be stored later by a message on its way.
 *       The caller must repeat exactly this command with the same serial, or give up its copy of
 *       the session and claim again.
 *   <li>While the store is {@linkplain StoreState.Kind#SEEKING sought}, calls wait; beyond {@link
 *       StoreOptions#waitersMax()} they fail at once, with effect none. While it is {@linkplain
 *       StoreState.Kind#AWAY away}, every call fails at once, those that were waiting first.
 *   <li>Serials come from {@link #nextSerial()} and name a command for ever. Per session, the store
 *       answers the latest serial of an instance with the recorded outcome and earlier ones with
 *       {@code STALE}; so a session has one command in flight at a time, and a new serial is drawn
 *       only when the outcome of the one before is known or no longer wanted.
 *   <li>An interrupt does not end a call early; the thread's interrupt flag is set again when the
 *       call returns.
 *   <li>Thread-safe. Values handed in must not change afterwards; arrays are not copied.
 * </ul>
 */
public interface SessionStore extends AutoCloseable {

  /**
   * The instance that owns what this store handle claims: 64 random bits drawn once per JVM start.
   * The same for every handle in this JVM; never 0.
   *
   * @return the instance
   */
  long instance();

  /**
   * Draws the serial for a new command. Rises for as long as the JVM lives.
   *
   * @return a serial never drawn before, at least 1
   */
  long nextSerial();

  /**
   * Takes ownership of a session and reads its record: failover in one round trip.
   *
   * @param serial from {@link #nextSerial()}
   * @param key which session
   * @return the record or why there is none
   */
  ClaimOutcome claim(long serial, SessionKey key);

  /**
   * Stores what changed in a session.
   *
   * <p>A {@linkplain SessionChange#late() late} change that carries the ownership before the
   * present one is stored under the same rules of base and merge, and the session stays whose it
   * is: its owner hears {@link Push.Kind#NEWER}, unless that is this instance. {@link
   * SaveOutcome#epoch()} is then the owner's, never to be taken for the caller's. An older
   * ownership is fenced.
   *
   * <p>A login with a {@linkplain SessionChange#limit() limit} is decided by the store for all
   * Tomcats at once. Sessions that end for it are told to their owners as {@link Push.Kind#GONE},
   * to this instance too, and the answer comes when none of them can be shown any more.
   *
   * @param serial from {@link #nextSerial()}
   * @param key which session
   * @param change what changed, and since which version
   * @return what was stored, or why nothing was
   */
  SaveOutcome save(long serial, SessionKey key, SessionChange change);

  /**
   * Asks whether a near copy is still the truth. A linearizable read; changes nothing.
   *
   * @param key which session
   * @param epoch the ownership under which the copy is held
   * @param version the copy's version
   * @return whether it is, or the newer record, or where the session went
   */
  CheckOutcome check(SessionKey key, long epoch, long version);

  /**
   * Gives a session another key, atomically. For 30 s the old key serves only commands that carry
   * the current epoch.
   *
   * @param serial from {@link #nextSerial()}
   * @param key the present key
   * @param newKey any other key of the same application
   * @param epoch the caller's ownership
   * @return {@code DONE} with the record's version, or why not; {@code TAKEN} asks for another key
   */
  CommandOutcome rename(long serial, SessionKey key, SessionKey newKey, long epoch);

  /**
   * Removes a session for good and leaves a tombstone.
   *
   * @param serial from {@link #nextSerial()}
   * @param key which session
   * @param createdVersion names the life of the key that is meant; a later one is not touched
   * @param epoch the caller's ownership; only read for {@link RemoveReason#EXPIRY}
   * @param reason why
   * @return {@code DONE} with the tombstone's version, or why not
   */
  CommandOutcome remove(
      long serial, SessionKey key, long createdVersion, long epoch, RemoveReason reason);

  /**
   * Gives up ownership, so that the next claim need not wait for an eviction.
   *
   * @param serial from {@link #nextSerial()}
   * @param key which session
   * @param epoch the caller's ownership
   * @return {@code DONE} or why not
   */
  CommandOutcome release(long serial, SessionKey key, long epoch);

  /**
   * Asks whether this instance is the first to end a session that has expired and was offered to it
   * ({@link Push.Kind#LEAVER}). Who is the first calls the session's listeners; nobody else does,
   * and the session is not offered any more.
   *
   * @param serial from {@link #nextSerial()}
   * @param key which session
   * @param createdVersion names the life of the key that expired
   * @return true for the first, also when it asks again with the same serial
   */
  boolean bury(long serial, SessionKey key, long createdVersion);

  /**
   * Moves the deadlines of sessions that were used. Not remembered for repeats: doing it twice is
   * harmless. Split into messages of at most {@value #TOUCHES_PER_MESSAGE_MAX} sessions inside.
   *
   * @param touches which sessions, when and under which ownership
   * @return those that the caller no longer owns, and those that are gone
   */
  TouchOutcome touch(List<Touch> touches);

  /** How many sessions the store takes in one touch. */
  int TOUCHES_PER_MESSAGE_MAX = 1000;

  /**
   * Whether a near copy may be used without asking: the stream to the leader has not broken since
   * {@code readAtNanos}, and the leader confirmed lately, as the store defines it, that a majority
   * answers it. Cheap; takes no lock and no round trip. While it says no, {@link #check} decides.
   *
   * @param readAtNanos {@link System#nanoTime()} taken <em>before</em> the call that read, saved or
   *     checked the copy, so that an answer repeated over a younger stream is not trusted
   * @return whether the copy may be used unasked
   */
  boolean nearCopyTrusted(long readAtNanos);

  /**
   * Pauses of this process longer than this, in milliseconds, are noticed by who uses the seam; a
   * store that gives a session's requests less time to hand it over is not used.
   */
  long PAUSE_MILLIS = 1_000;

  /** The store's limit on a session unless it is configured, in bytes. */
  int SESSION_BYTES_MAX_DEFAULT = 1024 * 1024;

  /**
   * The store's limit on one session's attributes, names and values together. Cheap.
   *
   * @return bytes, as the store said last; {@value #SESSION_BYTES_MAX_DEFAULT} before it said
   *     anything
   */
  int sessionBytesMax();

  /**
   * Names who hears of sessions that this instance loses, that others changed, and that have
   * expired and are offered to it. One listener per application; a second one replaces the first. A
   * push that nobody listens for is acknowledged.
   *
   * @param application as in {@link SessionKey#application()}
   * @param listener called on a store thread before anything else of the same or a later message
   *     counts: see {@link PushListener#pushed}
   */
  void onPush(String application, PushListener listener);

  /**
   * Names who hears what became of watched sessions; a second listener replaces the first.
   *
   * @param application as in {@link SessionKey#application()}
   * @param listener see {@link NewsListener}
   */
  void onNews(String application, NewsListener listener);

  /**
   * Asks to be told when a session ends or gets another key: for one that this instance owns no
   * more and holds something of beside its record, such as an open socket. Returns at once. The
   * news may come late, while no node leads, or at once if there was some before; beyond {@value
   * #WATCHED_MAX} sessions at a time none comes.
   *
   * @param key which session
   * @param createdVersion names this life of the key
   */
  void watch(SessionKey key, long createdVersion);

  /** How many sessions the store watches for one instance. */
  int WATCHED_MAX = 65_536;

  /**
   * Asks to hear no more of a session. News that is on its way may still come.
   *
   * @param key as given to {@link #watch}, or as it was renamed since
   */
  void unwatch(SessionKey key);

  /**
   * How the store stands, as seen from here. Cheap.
   *
   * @return the state of this moment
   */
  StoreState state();

  /**
   * Names who hears of every change of {@link #state()}; a second listener replaces the first. Of
   * {@link StoreState.Kind#AWAY} it hears before the calls that are waiting fail.
   *
   * @param listener called on a store thread with the new state: must be quick and must not call
   *     the store
   */
  void onState(Consumer<StoreState> listener);

  /**
   * Says what this Tomcat serves, until the store has it and whenever it has it no more, as long as
   * the handle is open; nothing through one that is closed. Returns at once; another announcement
   * of the same application replaces this one.
   *
   * @param announcement what to say
   */
  void announce(Announcement announcement);

  /**
   * Says which applications of this server have a session manager of their own, so that operators
   * hear of it: their users lose their sessions with it. Like {@link #announce}.
   *
   * @param host what they belong to; its last word counts
   * @param applications their names, at most 256 of all hosts
   */
  void announceUnprotected(String host, Set<String> applications);

  /**
   * A thread is about to wait for another that asks the store, so that it waits for the store as
   * much as that one. Counted with the calls that wait, and bounded with them while the store is
   * being sought.
   *
   * @throws StoreUnavailableException with effect none, if so many wait already; then it has not
   *     begun
   */
  void beginsToWait();

  /** Ends what {@link #beginsToWait} began. */
  void hasWaited();

  /**
   * Says that this Tomcat is about to stop: it is taken out of the store's registry, and not
   * announced again by what was announced before. Everything else goes on. Returns at once.
   *
   * @return by which the leader's word can be waited for
   */
  Farewell leave();

  /**
   * Names who knows how an application fares. The figures go with other messages now and then, and
   * cost none of their own; a second supplier replaces the first.
   *
   * @param application as in {@link SessionKey#application()}
   * @param figures called on a store thread every few seconds: must be quick and must not call the
   *     store
   */
  void onStatus(String application, Supplier<ApplicationStatus> figures);

  /** Waits for calls in flight, drops the listeners and gives up the shared connection. */
  @Override
  void close();
}
