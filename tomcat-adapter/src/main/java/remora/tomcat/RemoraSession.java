package remora.tomcat;

import java.security.Principal;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import remora.tomcat.codec.StoredNames;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.copy.Names;
import remora.tomcat.copy.Witness;
import remora.tomcat.keeper.Held;
import remora.tomcat.store.Login;

/**
 * A session of Tomcat's whose changes are known: what Tomcat and the application call. {@link
 * StoredSide} is the side that faces the store.
 *
 * <p>Every reading is noted with the request that made it, every change is marked; what follows
 * from that is the keeper's. One object stands for a session for as long as this Tomcat runs it,
 * through failed saves and lost ownership, so that parallel requests never change two copies.
 *
 * <p>Nothing here names a servlet type, so that one class file serves Tomcat 9.0, 10.1 and 11.0.
 */
public class RemoraSession extends StoredSide {

  private static final long serialVersionUID = 1L;

  /** Hears nothing of a value that is decoded only to be replaced. */
  private static final BiConsumer<String, Object> NOBODY = (name, value) -> {};

  private final transient SessionEncoder encoder;

  /**
   * Makes a session without an id.
   *
   * @param manager its manager
   * @param encoder how its attributes are encoded
   */
  RemoraSession(RemoraManager manager, SessionEncoder encoder) {
    super(manager, encoder);
    this.encoder = encoder;
  }

  // ---- Who does it

  /** What the present request has seen of this session; null outside requests. */
  private Witness witness() {
    RequestScope scope = RequestScope.current();
    Held kept = held();
    return scope == null || kept == null ? null : scope.witness(kept);
  }

  private void reads(String storedName, Object handed) {
    Held kept = held();
    if (kept == null) {
      if (handed != null) {
        remora.observe(observer -> observer.read(this, storedName, handed));
      }
      return;
    }
    Witness witness = witness();
    kept.read(witness, storedName, handed);
    if (witness == null && handed != null) {
      remora.readOutside(kept);
    }
  }

  /**
   * Marks a change of an attribute. Called by the attributes themselves.
   *
   * @param name the application's name for it
   */
  void changes(String name) {
    if (isValid) {
      marks(StoredNames.ofApplication(name));
    }
  }

  /**
   * Marks a change.
   *
   * @param storedName what changes, as the store has it
   */
  void marks(String storedName) {
    Held kept = held();
    if (kept == null) {
      remora.observe(observer -> observer.marked(this, storedName));
    } else if (kept.mark(storedName, witness())) {
      remora.changedOutside(kept);
    }
  }

  /**
   * Notes who is logged in by a framework, for people who look for the session by that name.
   *
   * @param login the login, or null
   */
  void frameworkLogin(Login login) {
    if (noteFrameworkLogin(login)) {
      marks(Names.LOGIN);
    }
  }

  // ---- What Tomcat calls

  /** Only the store decides about the expiry of what it keeps: an idle copy asks before its use. */
  @Override
  public boolean isValid() {
    return held() == null ? super.isValid() : isValid;
  }

  @Override
  public void access() {
    boolean late = isIdleTooLong(-2 * RemoraManager.TOUCH_MILLIS);
    super.access();
    Held kept = held();
    if (kept != null) {
      kept.use();
      if (late) {
        remora.accessedLate(kept);
      }
    }
  }

  @Override
  public void endAccess() {
    super.endAccess();
    Held kept = held();
    if (kept == null) {
      remora.observe(observer -> observer.used(this));
    } else {
      boolean open = kept.leave();
      remora.accessed(kept);
      if (open) {
        remora.changedOutside(kept);
      }
    }
  }

  @Override
  public Object getAttribute(String name) {
    Object value = super.getAttribute(name);
    if (name == null) {
      return value;
    }
    String storedName = StoredNames.ofApplication(name);
    if (value instanceof EncodedValue) {
      value = decode(storedName, (EncodedValue) value, this::activateOnly);
    }
    reads(storedName, value != null && encoder.isMutable(value) ? value : null);
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
    Held kept = held();
    if (kept != null) {
      kept.readNames(witness());
    }
    return Collections.enumeration(names);
  }

  @Override
  public void setAttribute(String name, Object value, boolean notify) {
    if (name != null) {
      materializeOld(name, notify);
    }
    super.setAttribute(name, value, notify);
    if (value != null && encoder.isMutable(value)) {
      reads(StoredNames.ofApplication(name), value);
    }
  }

  @Override
  protected void removeAttributeInternal(String name, boolean notify) {
    if (name != null) {
      materializeOld(name, notify);
    }
    super.removeAttributeInternal(name, notify);
  }

  @Override
  public Principal getPrincipal() {
    readPrincipal();
    Principal present = super.getPrincipal();
    reads(Names.LOGIN, null);
    return present;
  }

  @Override
  public void setPrincipal(Principal principal) {
    marks(Names.LOGIN);
    marks(Names.PRINCIPAL);
    forgetStoredPrincipal();
    super.setPrincipal(principal);
    marks(Names.LOGIN);
    marks(Names.PRINCIPAL);
  }

  @Override
  public String getAuthType() {
    String present = super.getAuthType();
    reads(Names.LOGIN, null);
    return present;
  }

  @Override
  public void setAuthType(String authType) {
    marks(Names.LOGIN);
    super.setAuthType(authType);
    marks(Names.LOGIN);
  }

  @Override
  public int getMaxInactiveInterval() {
    int present = super.getMaxInactiveInterval();
    reads(Names.IDLE, null);
    return present;
  }

  @Override
  public void setMaxInactiveInterval(int interval) {
    marks(Names.IDLE);
    super.setMaxInactiveInterval(interval);
    marks(Names.IDLE);
  }

  @Override
  public Object getNote(String name) {
    Object note = super.getNote(name);
    if (FormNotes.concerns(name)) {
      reads(Names.FORM, null);
    }
    return note;
  }

  @Override
  public void setNote(String name, Object value) {
    super.setNote(name, value);
    if (FormNotes.concerns(name)) {
      marks(Names.FORM);
    }
  }

  @Override
  public void removeNote(String name) {
    super.removeNote(name);
    if (FormNotes.concerns(name)) {
      marks(Names.FORM);
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
    Held kept = held();
    if (kept != null && !kept.standing().life().isOver()) {
      remora.endInStore(kept);
    }
    super.expire(notify);
    if (kept == null) {
      remora.observe(observer -> observer.ended(this));
    }
  }

  @Override
  public void end() {
    expire(true);
  }

  @Override
  public void vanish() {
    if (isValid) {
      setValid(false);
      remora.remove(this, false);
    }
  }

  @Override
  public void letGo(String storedName, Object value) {
    RemoraSession messenger = messenger(storedName, value);
    messenger.removeAttributeInternal(StoredNames.toApplication(storedName), true);
  }

  private void materializeOld(String name, boolean notify) {
    Object old = notify ? attributes.get(name) : null;
    if (old instanceof EncodedValue
        && decode(StoredNames.ofApplication(name), (EncodedValue) old, NOBODY) == null) {
      attributes.remove(name, old); // nobody could read it: to listeners it was not there
    }
  }

  /** Tells one late decoded attribute that it has moved here, with this session's own facade. */
  private void activateOnly(String storedName, Object value) {
    messenger(storedName, value).activate();
  }

  private RemoraSession messenger(String storedName, Object value) {
    RemoraSession messenger = new RemoraSession(remora, encoder);
    messenger.fillLive(storedName, value);
    messenger.facade = facade;
    return messenger;
  }
}
