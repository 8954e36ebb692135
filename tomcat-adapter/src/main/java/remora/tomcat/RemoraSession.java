package remora.tomcat;

import java.security.Principal;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import remora.tomcat.store.SessionKey;

/**
 * A session of Tomcat's whose changes are known: the near copy of a record in the store.
 *
 * <p>Dirty state belongs to the session, not to the request that made it: every request that ends
 * waits for all of it ({@link SessionSaver}). One object stands for a session for as long as this
 * Tomcat runs it, through failed saves and lost ownership, so that parallel requests never change
 * two copies; what the store says is put into the object that they hold.
 *
 * <p>Nothing here names a servlet type, so that one class file serves Tomcat 9.0, 10.1 and 11.0.
 *
 * <p>Left out on purpose: expiry by the local clock. Only the store decides; see {@link #isValid}.
 */
public class RemoraSession extends MirroredSession {

  private static final long serialVersionUID = 1L;

  /** Hears nothing of a value that is decoded only to be replaced. */
  private static final BiConsumer<String, Object> NOBODY = (name, value) -> {};

  private final transient RemoraManager remora;

  /** Guarded by the lock. */
  final transient Flights flights = new Flights(lock);

  /** Monotonic time before the call that last read, checked or saved the copy. */
  transient volatile long checkedAtNanos;

  /** A change of the id whose outcome is not known; null for none. */
  transient volatile PendingRename pendingRename;

  private transient volatile SessionKey key;
  private transient volatile NearCopies.Slot slot;
  private transient volatile boolean goneFromStore;
  private transient volatile boolean droppedChanges;
  private transient volatile boolean vanished;
  private transient int requests;

  /**
   * Makes a session without an id.
   *
   * @param manager its manager
   * @param values how its attributes are encoded
   */
  RemoraSession(RemoraManager manager, AttributeValues values) {
    super(manager, values);
    this.remora = manager;
  }

  // ---- Where the copy stands

  SessionKey key() {
    return key;
  }

  SessionServices services() {
    return remora.services();
  }

  /**
   * Names the place of this copy. Called whenever the session gets an id.
   *
   * @param newKey its key in the store
   * @param newSlot its place among the near copies
   */
  void place(SessionKey newKey, NearCopies.Slot newSlot) {
    key = newKey;
    slot = newSlot;
  }

  /**
   * Whether another Tomcat has taken the session, as far as this one was told.
   *
   * @return true until the copy is claimed again
   */
  boolean isLost() {
    NearCopies.Slot current = slot;
    long epoch = epoch();
    return epoch != 0 && current != null && current.hasLost(epoch);
  }

  /**
   * Whether this Tomcat owned the session to its end, if it has ended: then its listeners are to be
   * called here and nowhere else.
   *
   * @return false if another Tomcat has taken it before
   */
  boolean hasEndedHere() {
    NearCopies.Slot current = slot;
    long epoch = epoch();
    return epoch != 0 && current != null && (!current.hasLost(epoch) || current.hasEnded(epoch));
  }

  /**
   * Whether a change is lost because the store ended the session before it was told of it.
   *
   * @return true if no request that may have seen the change may be answered
   */
  boolean hasDroppedChanges() {
    return droppedChanges;
  }

  /**
   * Whether the session lives on elsewhere, or ended there.
   *
   * @return true after {@link #vanish}
   */
  boolean hasVanished() {
    return vanished;
  }

  /**
   * Whether the session lives here: neither invalidated nor expired.
   *
   * @return Tomcat's flag, without its look at the clock
   */
  boolean isLive() {
    return isValid;
  }

  boolean isInUse() {
    lock.lock();
    try {
      return requests > 0;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Whether the local clock says that the session has been idle for too long. Only a reason to ask.
   *
   * @param graceMillis added to the idle limit; negative to ask whether that is near
   * @return false while a request uses it or if it never expires
   */
  boolean isIdleTooLong(long graceMillis) {
    int limit = maxInactiveInterval;
    return limit > 0
        && !isInUse()
        && System.currentTimeMillis() - thisAccessedTime >= limit * 1000L + graceMillis;
  }

  long lastAccessMillis() {
    return Math.max(thisAccessedTime, lastAccessedTime);
  }

  // ---- What Tomcat calls

  /** Only the store decides about expiry: an idle copy asks before it is used. */
  @Override
  public boolean isValid() {
    return isValid;
  }

  @Override
  public void access() {
    boolean late;
    lock.lock();
    try {
      late = isIdleTooLong(-2 * Housekeeper.TOUCH_MILLIS);
      super.access();
      requests++;
    } finally {
      lock.unlock();
    }
    if (late) {
      remora.accessedLate(this);
    }
  }

  @Override
  public void endAccess() {
    boolean open;
    lock.lock();
    try {
      super.endAccess();
      requests--;
      if (requests <= 0) {
        read.clear();
        ledger.dropOrphans();
      }
      open = isChangedOutside();
    } finally {
      lock.unlock();
    }
    remora.accessed(this);
    if (open) {
      remora.changedOutside(this);
    }
  }

  @Override
  public Object getAttribute(String name) {
    Object value = super.getAttribute(name);
    if (value instanceof EncodedValue) {
      value = decode(name, (EncodedValue) value, this::activateOnly);
    }
    if (value != null && values().isMutable(value)) {
      read.add(name);
    }
    return value;
  }

  @Override
  public Enumeration<String> getAttributeNames() {
    Set<String> names = new HashSet<>(Collections.list(super.getAttributeNames()));
    for (Map.Entry<String, Object> entry : attributes.entrySet()) {
      if (entry.getValue() instanceof EncodedValue
          && ((EncodedValue) entry.getValue()).isUndecodable()) {
        names.remove(entry.getKey());
      }
    }
    return Collections.enumeration(names);
  }

  @Override
  public void setAttribute(String name, Object value, boolean notify) {
    if (name != null) {
      materializeOld(name, notify);
    }
    super.setAttribute(name, value, notify);
    if (value != null) {
      mark(name);
      if (values().isMutable(value)) {
        read.add(name);
      }
    }
  }

  @Override
  protected void removeAttributeInternal(String name, boolean notify) {
    if (name == null) {
      return;
    }
    materializeOld(name, notify);
    super.removeAttributeInternal(name, notify);
    if (isValid) {
      mark(name);
    }
  }

  @Override
  public void setPrincipal(Principal principal) {
    super.setPrincipal(principal);
    mark(Ledger.LOGIN);
  }

  @Override
  public void setAuthType(String authType) {
    super.setAuthType(authType);
    mark(Ledger.LOGIN);
  }

  @Override
  public void setMaxInactiveInterval(int interval) {
    super.setMaxInactiveInterval(interval);
    mark(Ledger.IDLE);
  }

  @Override
  public void setNote(String name, Object value) {
    super.setNote(name, value);
    if (FormNotes.concerns(name)) {
      mark(FormNotes.ATTRIBUTE);
    }
  }

  @Override
  public void removeNote(String name) {
    super.removeNote(name);
    if (FormNotes.concerns(name)) {
      mark(FormNotes.ATTRIBUTE);
    }
  }

  /**
   * Ends the session: first in the store, so that no answer says "logged out" before it is true
   * everywhere, then here with its listeners.
   *
   * @param notify whether listeners hear of it
   */
  @Override
  public void expire(boolean notify) {
    if (!isValid || expiring) {
      return;
    }
    if (!goneFromStore) {
      remora.removeFromStore(this);
    }
    super.expire(notify);
  }

  /** Ends the session here with its listeners; the store has already ended it. */
  void expireGone() {
    leaveStore();
    expire(true);
  }

  /**
   * Takes the copy out without calling listeners. Not for sessions that ended under this Tomcat's
   * own ownership: theirs are called nowhere else.
   */
  void vanish() {
    leaveStore();
    vanished = true;
    setValid(false);
    remora.remove(this, false);
  }

  private void leaveStore() {
    if (isValid) {
      droppedChanges |= hasMarks();
    }
    goneFromStore = true;
  }

  private void mark(String name) {
    if (lock == null) {
      return; // StandardSession's constructor calls setters in some Tomcat versions
    }
    boolean open;
    lock.lock();
    try {
      ledger.mark(name, System.nanoTime());
      open = isChangedOutside();
    } finally {
      lock.unlock();
    }
    if (open) {
      remora.changedOutside(this);
    }
  }

  /** No response waits for a change that is made while no request uses the session. */
  private boolean isChangedOutside() {
    return requests <= 0 && ledger.epoch() != 0 && ledger.hasMarks();
  }

  private void materializeOld(String name, boolean notify) {
    Object old = notify ? attributes.get(name) : null;
    if (old instanceof EncodedValue && decode(name, (EncodedValue) old, NOBODY) == null) {
      attributes.remove(name, old); // nobody could read it: to listeners it was not there
    }
  }

  /** Tells one late decoded attribute that it has moved here, with this session's own facade. */
  private void activateOnly(String name, Object value) {
    RemoraSession messenger = new RemoraSession(remora, values());
    messenger.attributes.put(name, value);
    messenger.facade = facade;
    messenger.activate();
  }
}
