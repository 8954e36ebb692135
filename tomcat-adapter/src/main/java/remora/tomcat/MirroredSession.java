package remora.tomcat;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import org.apache.catalina.Manager;
import org.apache.catalina.session.StandardSession;
import remora.tomcat.codec.ContainerOwned;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/**
 * The side of a session that faces the store: what a record or another Tomcat's changes make of it,
 * and what there is to tell. {@link RemoraSession} adds the side that faces Tomcat.
 *
 * <p>Invariants: the ledger and the flags beside it are guarded by {@link #lock}, which is never
 * held across a round trip. The attribute map holds an {@link EncodedValue} where nobody has asked
 * for the attribute yet.
 */
abstract class MirroredSession extends StandardSession {

  private static final long serialVersionUID = 1L;

  private final transient AttributeValues values;

  /** Guards the ledger and the flags below it. */
  final transient ReentrantLock lock = new ReentrantLock();

  final transient Ledger ledger = new Ledger();

  /** Attributes that requests in progress have in their hands. */
  final transient Set<String> read = ConcurrentHashMap.newKeySet();

  /** Whether the copy must be read anew before it is used again. */
  transient volatile boolean unusable;

  MirroredSession(Manager manager, AttributeValues values) {
    super(manager);
    this.values = values;
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

  boolean hasMarks() {
    lock.lock();
    try {
      return ledger.hasMarks();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Decodes an attribute that the store holds.
   *
   * @param name the attribute
   * @param encoded what the attribute map held
   * @param decoded hears of the value if this call put it into the map
   * @return the live value that it holds now, or null if there is none that can be read
   */
  Object decode(String name, EncodedValue encoded, BiConsumer<String, Object> decoded) {
    Object there = encoded;
    while (there instanceof EncodedValue) {
      EncodedValue current = (EncodedValue) there;
      Object value = current.isUndecodable() ? null : values.decode(name, current);
      if (value == null) {
        current.markUndecodable();
      } else if (replace(name, current, value)) {
        decoded.accept(name, value);
        return value;
      }
      there = attributes.get(name); // another request or another Tomcat was faster
      if (there == current) {
        return null;
      }
    }
    return there;
  }

  /**
   * Puts a live value in the place of its bytes. Where encoding it again makes other bytes although
   * nobody has changed it, it is compared by those from now on; it is not handed out yet.
   */
  private boolean replace(String name, EncodedValue encoded, Object value) {
    EncodedValue.Fingerprint again = values.fingerprintAgain(name, encoded, value);
    lock.lock();
    try {
      if (!attributes.replace(name, encoded, value)) {
        return false;
      }
      ledger.compareBy(name, again);
      return true;
    } finally {
      lock.unlock();
    }
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
      orphan(name, attributes.get(name));
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

  /** A request may have the live object in its hands; what nobody has decoded nobody can have. */
  private void orphan(String name, Object old) {
    if (old != null && !(old instanceof EncodedValue) && read.remove(name)) {
      ledger.orphan(name, old);
    }
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
      orphan(name, entry.getValue());
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
   * Whether an attribute is kept here and never told the store, because Tomcat set it for itself,
   * or by Tomcat's own list or the manager's {@code sessionAttributeNameFilter} and {@code
   * sessionAttributeValueClassNameFilter}. They are about the application's attributes, not about
   * ours.
   *
   * @param name its name
   * @param value its live value
   * @return whether it stays here
   */
  boolean isLocal(String name, Object value) {
    return !(value instanceof EncodedValue)
        && !FormNotes.ATTRIBUTE.equals(name)
        && (exclude(name, value) || ContainerOwned.contains(name, value));
  }
}
