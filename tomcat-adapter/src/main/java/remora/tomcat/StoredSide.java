package remora.tomcat;

import java.security.Principal;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import org.apache.catalina.session.StandardSession;
import remora.tomcat.codec.ContainerOwned;
import remora.tomcat.codec.StoredNames;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.copy.Names;
import remora.tomcat.keeper.Held;
import remora.tomcat.keeper.Live;
import remora.tomcat.store.Login;
import remora.tomcat.store.StoredSession;

/**
 * The side of a session that faces the store: what a record makes of it, and what there is to tell.
 * {@link RemoraSession} adds the side that faces Tomcat.
 *
 * <p>The attribute map holds an {@link EncodedValue} where nobody has asked for the attribute yet.
 */
abstract class StoredSide extends StandardSession implements Live {

  private static final long serialVersionUID = 1L;

  /** Its manager, as it is. */
  final transient RemoraManager remora;

  private final transient SessionEncoder encoder;
  private transient volatile Held held;

  /** When it was last used, by the manager's clock, which nobody sets. */
  private transient volatile long usedNanos;

  /** The realm's own principal as the store has it, until somebody asks who is logged in. */
  private transient volatile EncodedValue storedPrincipal;

  /** Who is logged in by a framework, as far as an attribute said when it was encoded last. */
  private transient volatile Login frameworkLogin;

  StoredSide(RemoraManager manager, SessionEncoder encoder) {
    super(manager);
    this.remora = manager;
    this.encoder = encoder;
    attributes = new SessionAttributes((RemoraSession) this);
  }

  // ---- Where it is kept

  @Override
  public void keptBy(Held keeping) {
    held = keeping;
  }

  /**
   * How it is kept.
   *
   * @return null until it has an id
   */
  Held held() {
    return held;
  }

  /**
   * Fills a new session from its record, but for what the copy takes in.
   *
   * @param newId its id, with this Tomcat's route
   * @param record what was claimed
   */
  void load(String newId, StoredSession record) {
    id = newId;
    setCreationTime(record.createdMillis());
    lastAccessedTime = record.lastAccessMillis();
    thisAccessedTime = record.lastAccessMillis();
    long idleMillis = Math.max(0, System.currentTimeMillis() - record.lastAccessMillis());
    usedNanos = remora.nanoTime() - TimeUnit.MILLISECONDS.toNanos(idleMillis);
    isNew = false;
    isValid = true;
  }

  @Override
  public String id() {
    return id;
  }

  @Override
  public void rename(String newId) {
    setId(newId, false);
  }

  @Override
  public long createdMillis() {
    return creationTime;
  }

  @Override
  public long lastAccessMillis() {
    return Math.max(thisAccessedTime, lastAccessedTime);
  }

  @Override
  public void setCreationTime(long time) {
    super.setCreationTime(time);
    usedNanos = remora.nanoTime();
  }

  @Override
  public void access() {
    super.access();
    usedNanos = remora.nanoTime();
  }

  @Override
  public void endAccess() {
    super.endAccess();
    usedNanos = remora.nanoTime();
  }

  @Override
  public boolean isIdleTooLong(long graceMillis) {
    int limit = maxInactiveInterval;
    Held kept = held;
    return limit > 0
        && (kept == null || !kept.isUsed())
        && remora.nanoTime() - usedNanos
            >= TimeUnit.SECONDS.toNanos(limit) + TimeUnit.MILLISECONDS.toNanos(graceMillis);
  }

  // ---- Values

  private SessionAttributes map() {
    return (SessionAttributes) attributes;
  }

  @Override
  public Object peek(String name) {
    switch (name) {
      case Names.LOGIN:
        Login login = Principals.login(principal, authType);
        Login framework = frameworkLogin;
        return login.isNone() && framework != null ? framework : login;
      case Names.IDLE:
        return maxInactiveInterval;
      case Names.FORM:
        return FormNotes.describe(notes);
      case Names.PRINCIPAL:
        EncodedValue unread = storedPrincipal;
        return unread != null ? unread : Principals.inner(principal);
      default:
        return attributes.get(StoredNames.toApplication(name));
    }
  }

  @Override
  public Set<String> names() {
    Set<String> names = new HashSet<>();
    for (String name : attributes.keySet()) {
      names.add(StoredNames.ofApplication(name));
    }
    if (FormNotes.describe(notes) != null) {
      names.add(Names.FORM);
    }
    if (peek(Names.PRINCIPAL) != null) {
      names.add(Names.PRINCIPAL);
    }
    return names;
  }

  @Override
  public void fill(String name, EncodedValue value) {
    if (Names.FORM.equals(name)) {
      FormNotes.restore(encoder.decode(name, value), notes, id);
    } else if (Names.PRINCIPAL.equals(name)) {
      storedPrincipal = value;
    } else {
      map().fill(StoredNames.toApplication(name), value);
    }
  }

  /**
   * Puts a live value here that the store knows.
   *
   * @param name as the store has it
   * @param value what its bytes mean
   */
  void fillLive(String name, Object value) {
    map().fill(StoredNames.toApplication(name), value);
  }

  @Override
  public boolean decoded(String name, EncodedValue bytes, Object value) {
    return attributes.replace(StoredNames.toApplication(name), bytes, value);
  }

  @Override
  public void drop(String name) {
    if (Names.FORM.equals(name)) {
      FormNotes.forget(notes);
    } else if (Names.PRINCIPAL.equals(name)) {
      storedPrincipal = null;
      login(Principals.login(principal, authType));
    } else {
      map().drop(StoredNames.toApplication(name));
    }
  }

  @Override
  public void login(Login login) {
    boolean framework = login.isOfFramework();
    frameworkLogin = framework ? login : null;
    principal = framework || login.isNone() ? null : Principals.principal(login, null);
    authType = framework || login.authType().isEmpty() ? null : login.authType();
  }

  /** Makes the realm's own principal part of the login. Runs code of the application's. */
  void readPrincipal() {
    EncodedValue unread = storedPrincipal;
    if (unread == null) {
      return;
    }
    Object inner = encoder.decode(Names.PRINCIPAL, unread);
    Principal known = principal;
    if (known != null && inner instanceof Principal) {
      principal = Principals.principal(Principals.login(known, authType), (Principal) inner);
    }
    storedPrincipal = null;
  }

  /**
   * Notes who is logged in by a framework.
   *
   * @param login the login, or null
   * @return whether that is news
   */
  boolean noteFrameworkLogin(Login login) {
    Login before = frameworkLogin;
    frameworkLogin = login;
    if (login == null || before == null) {
      return login != before;
    }
    return !login.principal().equals(before.principal()) || !login.labels().equals(before.labels());
  }

  /** Somebody else is logged in: what the store has is not of this user. */
  void forgetStoredPrincipal() {
    storedPrincipal = null;
  }

  @Override
  public void idle(int seconds) {
    maxInactiveInterval = seconds;
  }

  /**
   * Decodes an attribute that the store holds.
   *
   * @param name as the store has it
   * @param encoded what the attribute map held
   * @param decoded hears of the value if this call put it into the map
   * @return the live value that it holds now, or null if there is none that can be read
   */
  Object decode(String name, EncodedValue encoded, BiConsumer<String, Object> decoded) {
    Object there = encoded;
    while (there instanceof EncodedValue) {
      EncodedValue current = (EncodedValue) there;
      Object value = current.isUndecodable() ? null : encoder.decode(name, current);
      if (value == null) {
        current.markUndecodable();
      } else if (replace(name, current, value)) {
        decoded.accept(name, value);
        return value;
      }
      there = peek(name); // another request or another Tomcat was faster
      if (there == current) {
        return null;
      }
    }
    return there;
  }

  /**
   * Where encoding a decoded value makes other bytes although nobody has changed it, it is compared
   * by those from now on; it is not handed out yet.
   */
  private boolean replace(String name, EncodedValue encoded, Object value) {
    return held.decoded(name, encoded, value, encoder.fingerprintAgain(name, encoded, value));
  }

  /**
   * Whether an attribute is kept here and never told the store: Tomcat's own, or by Tomcat's list
   * or the manager's {@code sessionAttributeNameFilter} and {@code
   * sessionAttributeValueClassNameFilter}. They are about the application's attributes, not about
   * ours.
   *
   * @param name as the store has it
   * @param value its live value
   * @return whether it stays here
   */
  boolean keepsForItself(String name, Object value) {
    if (StoredNames.isHidden(name)) {
      return false;
    }
    String attribute = StoredNames.toApplication(name);
    return exclude(attribute, value) || ContainerOwned.contains(attribute, value);
  }
}
