package remora.tomcat.keeper;

import java.util.ArrayList;
import java.util.List;
import remora.tomcat.copy.Asked;
import remora.tomcat.copy.Copy;
import remora.tomcat.copy.Draft;
import remora.tomcat.copy.Encoding;
import remora.tomcat.copy.Endings;
import remora.tomcat.copy.Life;
import remora.tomcat.copy.Witness;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;

/**
 * One session that is watched: what the store was told of it, and what has been seen since. Its own
 * monitor guards it; nothing of the application's runs under that. The thread of the {@link
 * Observer} alone calls what speaks of the store.
 */
final class Watched {

  final Live live;

  /** Under which key the store was told of it; the observer's thread only. */
  SessionKey key;

  /** A save that was not answered; the observer's thread only. */
  UnknownSave unknown;

  private Copy copy;
  private Witness seen = new Witness(System.nanoTime());
  private boolean waits;
  private long toldAccessMillis;

  Watched(Live live, SessionKey key) {
    this.live = live;
    this.key = key;
    copy = blank();
  }

  private Copy blank() {
    Copy blank = new Copy(new Window(live), new Endings());
    blank.happened(Life.Event.CREATED);
    return blank;
  }

  // ---- What the session tells

  synchronized void marked(String name) {
    copy.mark(name, seen, System.nanoTime());
  }

  synchronized void read(String name, Object handed) {
    copy.read(seen, name, handed);
  }

  /** Whether it is news that it wants the thread's attention. */
  synchronized boolean beginsToWait() {
    boolean first = !waits;
    waits = true;
    return first;
  }

  synchronized void waitsNoMore() {
    waits = false;
  }

  // ---- What the observer's thread does

  /** What is to be looked at; what is seen from now on is for the next time. */
  synchronized List<String> takeSeen() {
    waits = false;
    Witness taken = seen;
    seen = new Witness(System.nanoTime());
    Asked asked = copy.ask(taken, true);
    List<String> names = new ArrayList<>(asked.encode());
    names.addAll(asked.read());
    return names;
  }

  /** A stamp for the look that begins. */
  synchronized long draw() {
    return copy.draw();
  }

  /**
   * Takes in what was found.
   *
   * @return how many of the values had changed without anybody saying so
   */
  synchronized long offer(List<Encoding> found) {
    long before = copy.changedInPlace();
    for (Encoding encoding : found) {
      copy.offer(seen, encoding);
    }
    return copy.changedInPlace() - before;
  }

  synchronized Draft takeOff() {
    return copy.takeOff();
  }

  SessionChange change(Draft draft, long onto) {
    return draft.change(onto, null, live.createdMillis(), live.lastAccessMillis());
  }

  synchronized void saved(Draft draft, SaveOutcome outcome) {
    copy.saved(draft, outcome);
    toldAccessMillis = live.lastAccessMillis();
  }

  /** Stores the rest; the largest value would stay on its Tomcat. */
  synchronized boolean keepLargest(Draft draft) {
    return copy.keepLargest(draft);
  }

  synchronized void renamed(SessionKey newKey, long version) {
    key = newKey;
    copy.renamed(version);
  }

  /**
   * The record is not this session's, or any more: what it holds is told anew with its next use.
   */
  synchronized void startOver() {
    copy = blank();
    copy.startOver(System.nanoTime());
    seen = new Witness(System.nanoTime());
    copy.readNames(seen);
  }

  synchronized long epoch() {
    return copy.standing().epoch();
  }

  synchronized long createdVersion() {
    return copy.standing().createdVersion();
  }

  /** Whether the store believes that it has not been used for so long. */
  synchronized boolean wantsTouch(long millis) {
    return copy.standing().epoch() != 0 && live.lastAccessMillis() - toldAccessMillis >= millis;
  }

  synchronized void touched(long accessMillis) {
    toldAccessMillis = accessMillis;
  }
}
