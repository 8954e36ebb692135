package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.StoredSession;

/**
 * One near copy: what this Tomcat knows of a session's record, what the application has changed
 * since, and what the store is told next. Values stay where the application works on them ({@link
 * Values}); the copy holds names, versions, marks and what values are compared by.
 *
 * <p>Guarded by one lock of its owner's, but for what says otherwise. Calls nothing of the
 * application's, knows no store, no clock and no thread: the package's preface tells the whole
 * story.
 */
public final class Copy {

  private static final AtomicLongFieldUpdater<Copy> CLOCK =
      AtomicLongFieldUpdater.newUpdater(Copy.class, "clock");

  /** In which order a save tells: any that is always the same. */
  private static final Comparator<Encoding> BY_NAME = Comparator.comparing(Encoding::name);

  private final Values values;
  private final Endings endings;
  private final Ledger ledger = new Ledger();
  private final Reconciler reconciler;
  private final Map<String, Change> open = new ConcurrentHashMap<>(4);
  private GivenUp givenUp;
  private volatile Standing standing = new Standing(Life.VACANT, 0, 0, 0);
  private Map<String, Integer> tooLarge = Collections.emptyMap();

  /** Whether this Tomcat itself ended the session. Written before the end that it belongs to. */
  private volatile boolean removed;

  /** The newest stamp that was drawn. */
  private volatile long clock;

  private volatile boolean startsOver;
  private int users;
  private long changedInPlace;

  /**
   * A copy without a record.
   *
   * @param values the live side
   * @param endings the news about its key
   */
  public Copy(Values values, Endings endings) {
    this.values = values;
    this.endings = endings;
    this.reconciler = new Reconciler(values, ledger, open);
  }

  // ---- How it stands; needs no lock

  /**
   * How the copy stands.
   *
   * @return one moment's truth
   */
  public Standing standing() {
    return standing;
  }

  /**
   * Whether another Tomcat has taken the session, as far as this one was told.
   *
   * @return true until the copy is claimed again
   */
  public boolean isLost() {
    Standing now = standing;
    return now.life() == Life.HANDING_OVER
        || now.life() == Life.LOST
        || endings.hasLost(now.epoch());
  }

  /**
   * Whether this Tomcat owned the session to its end, if it has ended: then its listeners are to be
   * called here and nowhere else.
   *
   * @return false if another Tomcat has taken it before
   */
  public boolean endsHere() {
    long epoch = standing.epoch();
    return !isLost() || endings.hasEnded(epoch);
  }

  /**
   * Whether the end of the session is known to be this Tomcat's to tell: it has ended the session
   * itself, nobody else ever had a record of it, or the store has said so.
   *
   * @return false if it only found the record gone
   */
  public boolean endWasTold() {
    long epoch = standing.epoch();
    return removed || epoch == 0 || endings.hasEnded(epoch);
  }

  /**
   * Whether a look-up may use it without asking, as far as the copy itself can say.
   *
   * @return false if it must be checked or claimed
   */
  public boolean isUsable() {
    Standing now = standing;
    return (now.life() == Life.OWNED || now.life() == Life.NEW || now.life() == Life.SERVING)
        && !endings.hasLost(now.epoch())
        && !endings.isOlder(now.version());
  }

  /**
   * Whether the application has changed something that the store was not told.
   *
   * @return whether anything is open
   */
  public boolean isOpen() {
    for (Change change : open.values()) {
      if (!change.isDead()) {
        return true;
      }
    }
    return false;
  }

  /**
   * Draws a stamp. An encoding's is drawn before the look at the value begins.
   *
   * @return younger than every stamp before
   */
  public long draw() {
    return CLOCK.incrementAndGet(this);
  }

  /**
   * Notes that a request has read a name. Called after the value was read, so that the mark noted
   * is not older than the value.
   *
   * @param by the request
   * @param name what it read, whether there was a value or not
   * @param handed a mutable object that it was given, or null
   */
  public void read(Witness by, String name, Object handed) {
    Change change = open.get(name);
    by.saw(name, clock, change == null ? 0 : change.newest());
    if (handed != null) {
      by.holds(name, handed);
    }
  }

  /**
   * Notes that a request has seen which attributes there are.
   *
   * @param by the request
   */
  public void readNames(Witness by) {
    long now = clock;
    for (Map.Entry<String, Change> entry : open.entrySet()) {
      by.saw(entry.getKey(), now, entry.getValue().newest());
    }
  }

  // ---- What the application does

  /** A request begins to use it. */
  public void use() {
    users++;
  }

  /** A request has ended. With the last one goes what only requests in progress need to know. */
  public void leave() {
    users--;
    if (users <= 0) {
      reconciler.forgetReaders();
      givenUp = null;
    }
  }

  /**
   * Whether requests use it.
   *
   * @return true between {@link #use} and {@link #leave}
   */
  public boolean isUsed() {
    return users > 0;
  }

  /**
   * Marks a change. Called before the new value can be seen, and again once it can.
   *
   * @param name what changes
   * @param by the request that changes it, or null
   * @param sinceNanos when that request began, or now if there is none; monotonic
   */
  public void mark(String name, Witness by, long sinceNanos) {
    if (standing.life().isOver()) {
      return;
    }
    mark(name, by, sinceNanos, draw());
  }

  private Change mark(String name, Witness by, long sinceNanos, long stamp) {
    long readAt = by == null ? Long.MAX_VALUE : by.firstSeen(name);
    long base = ledger.base(name, readAt, standing.version());
    Change change = open.get(name);
    if (change == null || change.isDead()) {
      change = new Change(stamp, base, sinceNanos);
      open.put(name, change);
    } else {
      change.mark(stamp, base, sinceNanos);
    }
    if (base != standing.version()) {
      change.pin();
    }
    if (by != null) {
      by.saw(name, stamp, stamp);
    }
    return change;
  }

  // ---- What a request asks before its answer leaves

  /**
   * What the request must look at.
   *
   * @param by the request
   * @param compares whether it is to compare the objects in its hands; once a question is enough
   * @return what to encode and compare; or that the request has failed; or that nothing is left
   */
  public Asked ask(Witness by, boolean compares) {
    Asked asked = new Asked();
    for (Witness.Seen seen = by.seen(); seen != null; seen = seen.before) {
      if (givenUp != null && givenUp.isSeenBy(seen)) {
        asked.givenUp = seen.name;
        return asked;
      }
      if (wantsEncoding(seen)) {
        asked.toEncode(seen.name);
      }
    }
    Witness.Handed handed = compares ? by.handed() : null;
    for (; handed != null; handed = handed.before) {
      compare(handed, asked);
    }
    asked.settled = asked.isNothing() && isSettled(by);
    return asked;
  }

  private void compare(Witness.Handed handed, Asked asked) {
    Asked.Orphan orphan = reconciler.orphan(handed.value);
    if (orphan != null) {
      asked.toCompare(orphan);
    } else if (values.peek(handed.name) == handed.value && !asked.looksAt(handed.name)) {
      Object print = ledger.print(handed.name);
      if (standing.life() != Life.ENDED_ELSEWHERE) {
        asked.toEncodeIfAtRest(handed.name);
      } else if (print != null && !Encoding.staysHere(print)) {
        asked.toCompare(new Asked.Orphan(handed.name, handed.value, print));
      }
    }
  }

  /**
   * Takes an encoding in, to fly next. Nothing happens if it says what the store has, or if one
   * that began later is there already.
   *
   * @param by the request that made it
   * @param found what it found
   */
  public void offer(Witness by, Encoding found) {
    if (standing.life().isOver()) {
      return;
    }
    Encoding encoding = keptIfTooLarge(found);
    String name = encoding.name();
    Change change = open.get(name);
    boolean nothing =
        encoding.kind() == Encoding.Kind.KEPT || encoding.kind() == Encoding.Kind.REMOVED;
    boolean silent = nothing && !ledger.isTold(name);
    boolean told = ledger.says(encoding);
    if (change == null || change.isDead()) {
      if (silent) {
        ledger.know(name, 0, encoding.print());
      } else if (!told) {
        changedInPlace++;
        mark(name, by, by.sinceNanos(), encoding.stamp()).offer(encoding);
      }
      return;
    }
    if (change.youngest() == null && (silent || told)) {
      ledger.know(name, silent ? 0 : standing.version(), encoding.print());
      if (change.close(encoding.stamp())) {
        open.remove(name);
      }
      return;
    }
    by.saw(name, encoding.stamp(), encoding.stamp());
    change.offer(encoding);
  }

  /**
   * Whether the store has everything that the request has seen.
   *
   * @param by the request
   * @return false while it must wait for a flight
   */
  public boolean isSettled(Witness by) {
    if (standing.life().isOver()) {
      return true;
    }
    for (Witness.Seen seen = by.seen(); seen != null; seen = seen.before) {
      Change change = open.get(seen.name);
      if (change != null && change.isOpen(seen.mark())) {
        return false;
      }
    }
    return true;
  }

  /**
   * Whether everything open is encoded, so that it can be told without the application.
   *
   * @param by the request
   * @return true if nothing that it has seen needs to be looked at
   */
  public boolean isEncoded(Witness by) {
    for (Witness.Seen seen = by.seen(); seen != null; seen = seen.before) {
      if (wantsEncoding(seen)) {
        return false;
      }
    }
    return true;
  }

  private boolean wantsEncoding(Witness.Seen seen) {
    Change change = open.get(seen.name);
    return change != null && change.isOpen(seen.mark()) && change.wantsEncoding(seen.mark());
  }

  // ---- Flights

  /**
   * Takes everything that is encoded into one save.
   *
   * @return null if nothing waits
   */
  public Draft takeOff() {
    List<Encoding> encodings = new ArrayList<>(4);
    long epoch = standing.epoch();
    Change idle = open.get(Names.IDLE);
    if (epoch == 0 && idle != null && idle.waiting() == null) {
      idle.offer(idleNow());
    }
    long base = standing.version();
    long since = 0;
    for (Change change : open.values()) {
      Encoding encoding = change.takeOff();
      if (encoding != null) {
        since = encodings.isEmpty() ? change.sinceNanos() : Math.min(since, change.sinceNanos());
        base = Math.min(base, change.base());
        encodings.add(encoding);
      }
    }
    if (encodings.isEmpty()) {
      return null;
    }
    if (encodings.size() > 1) {
      encodings.sort(BY_NAME);
    }
    if (epoch == 0 && idle == null) {
      encodings.add(idleNow()); // a record is made with a limit, whoever chose it
    }
    return new Draft(epoch, base, since, epoch != 0 && isLost(), encodings);
  }

  private Encoding idleNow() {
    return Encoding.idle(draw(), (Integer) values.peek(Names.IDLE));
  }

  /**
   * The store has what a draft says.
   *
   * @param draft what flew
   * @param outcome what the store answered
   */
  public void saved(Draft draft, SaveOutcome outcome) {
    startsOver = false;
    long version = outcome.version();
    for (Encoding encoding : draft.encodings()) {
      boolean kept = encoding.kind() == Encoding.Kind.KEPT;
      ledger.know(encoding.name(), kept ? 0 : version, encoding.print());
      Change change = open.get(encoding.name());
      if (change != null && change.isFlying()) {
        if (change.close(change.land())) {
          open.remove(encoding.name());
        } else {
          change.landedOn(version);
        }
      }
    }
    if (draft.isLate()) {
      standing = standing.at(Math.max(version, standing.version()));
    } else {
      standing =
          new Standing(standing.life(), outcome.epoch(), version, outcome.createdVersion())
              .live(standing.life().after(Life.Event.SAVED));
    }
    reconciler.merge(outcome.merged(), standing.version(), draw(), users > 0);
    noticeEviction();
  }

  /**
   * Brings a draft's encodings back, to fly once more on the same base: the session was lost on the
   * way.
   *
   * @param draft what flew
   */
  public void turnBack(Draft draft) {
    for (Encoding encoding : draft.encodings()) {
      Change change = open.get(encoding.name());
      if (change != null && change.isFlying()) {
        change.turnBack();
      }
    }
  }

  /**
   * The store takes no session as large as a draft would make it: the largest value stays here, and
   * the rest flies again.
   *
   * @param draft what flew
   * @return false if there is no value among it, so that nothing can be done
   */
  public boolean keepLargest(Draft draft) {
    Encoding largest = null;
    for (Encoding encoding : draft.encodings()) {
      if (encoding.kind() == Encoding.Kind.VALUE
          && (largest == null || encoding.bytes() > largest.bytes())) {
        largest = encoding;
      }
    }
    turnBack(draft);
    if (largest == null) {
      return false;
    }
    if (tooLarge.isEmpty()) {
      tooLarge = new HashMap<>();
    }
    tooLarge.put(largest.name(), largest.bytes());
    Change change = open.get(largest.name());
    if (change != null) {
      change.offer(keptIfTooLarge(largest));
    }
    return true;
  }

  /** A value that did not fit into its session stays here until it is smaller. */
  private Encoding keptIfTooLarge(Encoding encoding) {
    Integer refused = tooLarge.get(encoding.name());
    if (refused == null || encoding.kind() != Encoding.Kind.VALUE || encoding.bytes() < refused) {
      return encoding;
    }
    Object live = values.peek(encoding.name());
    String className = live == null ? "" : live.getClass().getName();
    return Encoding.local(encoding.name(), encoding.stamp(), className);
  }

  /**
   * Gives up what a draft carried, and nothing else: the requests that have seen it fail, and the
   * record's values take the place of the live ones as soon as they are known.
   *
   * @param draft what flew
   */
  public void giveUp(Draft draft) {
    for (Encoding encoding : draft.encodings()) {
      Change change = open.get(encoding.name());
      if (change != null && change.isFlying()) {
        giveUp(encoding.name(), change, change.land());
      }
      ledger.forget(encoding.name());
    }
    happened(Life.Event.FAILED);
  }

  /**
   * Gives up a change that cannot be encoded.
   *
   * @param name what changed
   * @param stamp drawn before the look at it
   */
  public void reject(String name, long stamp) {
    Change change = open.get(name);
    if (change == null || change.isDead()) {
      return;
    }
    giveUp(name, change, stamp);
    ledger.forget(name);
    if (standing.epoch() != 0) {
      happened(Life.Event.FAILED);
    } else if (change.isDead()) {
      values.drop(name); // the store never had any
      open.remove(name);
    }
  }

  private void giveUp(String name, Change change, long last) {
    givenUp = new GivenUp(name, change.first(), last, givenUp);
    if (change.close(last)) {
      change.die();
    }
  }

  // ---- What the store says

  /**
   * Takes a record in: claimed, or newer than the copy. What the application has changed and not
   * yet told stays.
   *
   * @param record the record
   * @param claimed whether it began a new ownership
   */
  public void take(StoredSession record, boolean claimed) {
    Life life = standing.life().after(claimed ? Life.Event.CLAIMED : Life.Event.CONFIRMED);
    standing = new Standing(life, record.epoch(), record.version(), record.createdVersion());
    reconciler.take(record, draw(), users > 0);
    noticeEviction();
  }

  /**
   * Values that lived on this Tomcat alone and whose place the store's have taken, since this was
   * asked last: whoever bound them is to hear that they are let go.
   *
   * @return the values; none twice
   */
  public List<Asked.Orphan> takeReplaced() {
    return reconciler.takeReplaced();
  }

  /**
   * The record has another key, and a new version with it.
   *
   * @param version the record's
   */
  public void renamed(long version) {
    standing = standing.at(version).live(standing.life().after(Life.Event.RENAME_ENDS));
    for (Change change : open.values()) {
      change.rebase(version);
    }
    noticeEviction();
  }

  /**
   * Something happened that changes where the copy stands.
   *
   * @param event what
   * @return where it stands now
   */
  public Life happened(Life.Event event) {
    Life next = standing.life().after(event);
    if (next.isOver() && !standing.life().isOver()) {
      end(event);
    }
    standing = standing.live(next);
    if (next == Life.OWNED) {
      noticeEviction();
    }
    return standing.life();
  }

  /** Changes die with a session that its own user ended; with any other end somebody fails. */
  private void end(Life.Event event) {
    removed = event == Life.Event.REMOVED;
    for (Iterator<Map.Entry<String, Change>> all = open.entrySet().iterator(); all.hasNext(); ) {
      Map.Entry<String, Change> entry = all.next();
      if (event != Life.Event.REMOVED) {
        Change change = entry.getValue();
        givenUp = new GivenUp(entry.getKey(), change.first(), change.newest(), givenUp);
      }
      all.remove();
    }
  }

  private void noticeEviction() {
    if (endings.hasLost(standing.epoch())) {
      standing = standing.live(standing.life().after(Life.Event.EVICTED));
    }
  }

  /**
   * The record that this was a copy of belongs to somebody else, and this session goes on under an
   * id of its own: everything that it holds is told anew.
   *
   * @param nowNanos monotonic time
   */
  public void startOver(long nowNanos) {
    ledger.forgetAll();
    open.clear();
    standing = new Standing(Life.NEW, 0, 0, 0);
    startsOver = true;
    for (String name : values.names()) {
      mark(name, null, nowNanos);
    }
    mark(Names.LOGIN, null, nowNanos);
  }

  /**
   * Whether everything that the session holds is still to be told, at once and by whoever comes
   * first.
   *
   * @return true from {@link #startOver} until a save has landed
   */
  public boolean startsOver() {
    return startsOver;
  }

  /**
   * The version by which the store is asked about the copy.
   *
   * @return 0 where the record is wanted in any case
   */
  public long versionToCheck() {
    return standing.life() == Life.DOUBTFUL ? 0 : standing.version();
  }

  /**
   * Puts a live value in the place of its bytes, and compares it by its own encoding from now on.
   *
   * @param name an attribute
   * @param bytes what must still be there
   * @param value what the bytes mean
   * @param again what the value is compared by: what encoding it again makes
   * @return false if something else is there
   */
  public boolean decoded(
      String name, EncodedValue bytes, Object value, EncodedValue.Fingerprint again) {
    if (!values.decoded(name, bytes, value)) {
      return false;
    }
    ledger.compareBy(name, again);
    return true;
  }

  /**
   * How many values were found changed without {@code setAttribute}.
   *
   * @return rises for ever
   */
  public long changedInPlace() {
    return changedInPlace;
  }
}
