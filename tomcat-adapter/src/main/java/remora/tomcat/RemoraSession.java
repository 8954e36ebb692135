package remora.tomcat;

import java.security.Principal;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.catalina.session.StandardSession;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/**
 * A session of Tomcat's whose changes are known: the near copy of a record in the store.
 *
 * <p>Dirty state belongs to the session, not to the request that made it: every request that ends
 * waits for all of it ({@link SessionSaver}). One object stands for a session for as long as this
 * Tomcat runs it, through failed saves and lost ownership, so that parallel requests never change
 * two copies; what the store says is put into the object that they hold.
 *
 * <p>Invariants: {@link #ledger} and the flags beside it are guarded by {@link #lock}, which is
 * never held across a round trip. The attribute map holds an {@link EncodedValue} where nobody has
 * asked for the attribute yet. Nothing here names a servlet type, so that one class file serves
 * Tomcat 9.0, 10.1 and 11.0.
 *
 * <p>Left out on purpose: expiry by the local clock. Only the store decides; see {@link #isValid}.
 */
public class RemoraSession extends StandardSession {

  private static final long serialVersionUID = 1L;

  private final transient RemoraManager remora;
  private final transient AttributeValues values;

  /** Guards the ledger and the flags below it. */
  final transient ReentrantLock lock = new ReentrantLock();

  final transient Ledger ledger = new Ledger();

  /** Guarded by the lock too. */
  final transient Flights flights = new Flights(lock);

  /** Whether the copy must be read anew before it is used again. */
  transient volatile boolean unusable;

  /** Monotonic time before the call that last read, checked or saved the copy. */
  transient volatile long checkedAtNanos;

  private transient volatile SessionKey key;
  private transient volatile NearCopies.Slot slot;
  private transient volatile boolean goneFromStore;
  private final transient Set<String> read = ConcurrentHashMap.newKeySet();
  private transient int requests;

  /**
   * Makes a session without an id.
   *
   * @param manager its manager
   * @param values how its attributes are encoded
   */
  RemoraSession(RemoraManager manager, AttributeValues values) {
    super(manager);
    this.remora = manager;
    this.values = values;
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
    return epoch != 0 && current != null && current.lostEpoch() == epoch;
  }

  /**
   * The ownership under which the copy is held.
   *
   * @return 0 while the store has no record
   */
  long epoch() {
    lock.lock();
    try {
      return ledger.epoch();
    } finally {
      lock.unlock();
    }
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
   * @param graceMillis added to the idle limit
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
    lock.lock();
    try {
      super.access();
      requests++;
    } finally {
      lock.unlock();
    }
  }

  @Override
  public void endAccess() {
    lock.lock();
    try {
      super.endAccess();
      requests--;
      if (requests <= 0) {
        read.clear();
        ledger.dropOrphans();
      }
    } finally {
      lock.unlock();
    }
    remora.accessed(this);
  }

  @Override
  public Object getAttribute(String name) {
    Object value = super.getAttribute(name);
    if (value instanceof EncodedValue) {
      value = materialize(name, (EncodedValue) value, true);
    }
    if (value != null && values.isMutable(value)) {
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
      if (values.isMutable(value)) {
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
    goneFromStore = true;
    expire(true);
  }

  /** Ends the session here without a word: its listeners were or will be called elsewhere. */
  void vanish() {
    goneFromStore = true;
    setValid(false);
    remora.remove(this, false);
  }

  private void mark(String name) {
    if (lock == null) {
      return; // StandardSession's constructor calls setters in some Tomcat versions
    }
    lock.lock();
    try {
      ledger.mark(name, System.nanoTime());
    } finally {
      lock.unlock();
    }
  }

  private void materializeOld(String name, boolean notify) {
    Object old = notify ? attributes.get(name) : null;
    if (old instanceof EncodedValue && materialize(name, (EncodedValue) old, false) == null) {
      attributes.remove(name, old); // nobody could read it: to listeners it was not there
    }
  }

  private Object materialize(String name, EncodedValue encoded, boolean activate) {
    if (encoded.isUndecodable()) {
      return null;
    }
    Object value = values.decode(name, encoded);
    if (value == null) {
      encoded.markUndecodable();
      return null;
    }
    if (!attributes.replace(name, encoded, value)) {
      Object winner = attributes.get(name);
      return winner instanceof EncodedValue ? null : winner;
    }
    if (activate) {
      activateOnly(name, value);
    }
    return value;
  }

  /** Tells one late decoded attribute that it has moved here, with this session's own facade. */
  private void activateOnly(String name, Object value) {
    RemoraSession messenger = new RemoraSession(remora, values);
    messenger.attributes.put(name, value);
    messenger.facade = facade;
    messenger.activate();
  }

  // ---- What the store says

  /**
   * Fills a new session from its record.
   *
   * @param newId its id, with this Tomcat's route
   * @param record what was claimed
   */
  void load(String newId, StoredSession record) {
    id = newId;
    setCreationTime(record.createdMillis());
    lastAccessedTime = record.lastAccessMillis();
    thisAccessedTime = record.lastAccessMillis();
    isNew = false;
    isValid = true;
    refresh(record);
  }

  /**
   * Puts a newer record into this session. What the application has changed and not yet told stays.
   *
   * @param record what was claimed or checked
   */
  void refresh(StoredSession record) {
    lock.lock();
    try {
      Set<String> there = new HashSet<>();
      for (StoredAttribute attribute : record.attributes()) {
        there.add(attribute.name());
      }
      ledger.own(record.version(), record.epoch(), record.createdVersion());
      Set<String> others = applyAttributes(record.attributes());
      others.addAll(removeOthers(there));
      if (!Principals.same(record.login(), ledger.login())) {
        applyLogin(record.login(), others);
      }
      if (ledger.maxIdleSeconds() != record.maxIdleSeconds()) {
        applyMaxIdle(record.maxIdleSeconds(), others);
      }
      ledger.rebaseMarks(others);
      unusable = false;
    } finally {
      lock.unlock();
    }
  }

  /**
   * Puts what others changed into this session, after a save that was stored on top of it.
   *
   * @param merged what others changed
   */
  void merge(Merged merged) {
    lock.lock();
    try {
      Set<String> others = applyAttributes(merged.attributes());
      Set<String> kept = new HashSet<>();
      for (String name : attributes.keySet()) {
        if (!merged.removes(name)) {
          kept.add(name);
        }
      }
      others.addAll(removeOthers(kept));
      if (merged.login() != null) {
        applyLogin(merged.login(), others);
      }
      if (merged.maxIdleSeconds() != null) {
        applyMaxIdle(merged.maxIdleSeconds(), others);
      }
      ledger.rebaseMarks(others);
    } finally {
      lock.unlock();
    }
  }

  private Set<String> applyAttributes(List<StoredAttribute> stored) {
    Set<String> others = new HashSet<>();
    for (StoredAttribute attribute : stored) {
      String name = attribute.name();
      if (!ledger.isNewer(name, attribute.version())) {
        continue;
      }
      others.add(name);
      if (ledger.isMarked(name)) {
        continue;
      }
      Object old = attributes.get(name);
      if (old != null && read.contains(name)) {
        ledger.orphan(name, old);
      }
      EncodedValue encoded = new EncodedValue(attribute.type(), attribute.bytes());
      ledger.know(name, attribute.version(), encoded.fingerprint());
      if (FormNotes.ATTRIBUTE.equals(name)) {
        FormNotes.restore(values.decode(name, encoded), notes, id);
      } else {
        attributes.put(name, encoded);
      }
    }
    return others;
  }

  private Set<String> removeOthers(Set<String> there) {
    Set<String> others = new HashSet<>();
    for (Map.Entry<String, Object> entry : attributes.entrySet()) {
      String name = entry.getKey();
      if (there.contains(name) || isLocal(name, entry.getValue())) {
        continue;
      }
      if (ledger.isMarked(name)) {
        if (ledger.knows(name)) {
          others.add(name);
        }
        continue;
      }
      if (read.contains(name)) {
        ledger.orphan(name, entry.getValue());
      }
      ledger.forget(name);
      attributes.remove(name);
      others.add(name);
    }
    return others;
  }

  private void applyLogin(Login login, Set<String> others) {
    others.add(Ledger.LOGIN);
    ledger.knowLogin(login);
    if (!ledger.isMarked(Ledger.LOGIN)) {
      principal = login.isNone() ? null : Principals.principal(login);
      authType = login.authType().isEmpty() ? null : login.authType();
    }
  }

  private void applyMaxIdle(int seconds, Set<String> others) {
    others.add(Ledger.IDLE);
    ledger.knowMaxIdle(seconds);
    if (!ledger.isMarked(Ledger.IDLE)) {
      maxInactiveInterval = seconds;
    }
  }

  // ---- What the saver asks

  /**
   * Attributes that requests in progress have in their hands and may have changed in place.
   *
   * @return names
   */
  List<String> readAttributes() {
    return new ArrayList<>(read);
  }

  /**
   * Whether there may be anything to tell the store. Asked under the lock.
   *
   * @return false only if certainly not
   */
  boolean mayHaveChanged() {
    return ledger.epoch() == 0 || ledger.hasMarks() || ledger.hasOrphans() || !read.isEmpty();
  }

  Object liveValue(String name) {
    return FormNotes.ATTRIBUTE.equals(name) ? FormNotes.describe(notes) : attributes.get(name);
  }

  Login liveLogin() {
    return Principals.login(principal, authType);
  }

  AttributeValues values() {
    return values;
  }

  /**
   * Whether an attribute is kept here and never told the store, by Tomcat's own list or by the
   * manager's {@code sessionAttributeNameFilter} and {@code sessionAttributeValueClassNameFilter}.
   *
   * @param name its name
   * @param value its live value
   * @return whether it stays here
   */
  boolean isLocal(String name, Object value) {
    return !(value instanceof EncodedValue) && exclude(name, value);
  }
}
