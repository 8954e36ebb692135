package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** What a save stores: the difference between the caller's copy and its base. Immutable. */
public final class SessionChange {

  private final long epoch;
  private final long base;
  private final List<StoredAttribute> changed;
  private final List<String> removed;
  private final List<LocalAttribute> local;
  private final Login login;
  private final SessionLimit limit;
  private final Integer maxIdleSeconds;
  private final boolean late;
  private final long createdMillis;
  private final long lastAccessMillis;

  private SessionChange(Builder builder) {
    epoch = builder.epoch;
    base = builder.base;
    changed = Collections.unmodifiableList(builder.changed);
    removed = Collections.unmodifiableList(builder.removed);
    local = Collections.unmodifiableList(builder.local);
    login = builder.login;
    limit = builder.limit;
    maxIdleSeconds = builder.maxIdleSeconds;
    late = builder.late;
    createdMillis = builder.createdMillis;
    lastAccessMillis = builder.lastAccessMillis;
  }

  private SessionChange(SessionChange other, List<StoredAttribute> changed) {
    epoch = other.epoch;
    base = other.base;
    this.changed = Collections.unmodifiableList(changed);
    removed = other.removed;
    local = other.local;
    login = other.login;
    limit = other.limit;
    maxIdleSeconds = other.maxIdleSeconds;
    late = other.late;
    createdMillis = other.createdMillis;
    lastAccessMillis = other.lastAccessMillis;
  }

  /**
   * The same change with its values in another form.
   *
   * @param values for the attributes of {@link #changed()}, in their order
   * @return a change
   */
  public SessionChange withChanged(List<StoredAttribute> values) {
    return new SessionChange(this, values);
  }

  /**
   * Begins a change.
   *
   * @param epoch the caller's ownership; 0 creates the session
   * @param base the version the change is based on; with epoch 0 the tombstone's version, or 0 when
   *     none is known
   * @return a builder with nothing changed
   */
  public static Builder of(long epoch, long base) {
    return new Builder(epoch, base);
  }

  /**
   * The caller's ownership.
   *
   * @return the epoch; 0 creates
   */
  public long epoch() {
    return epoch;
  }

  /**
   * What the change is based on.
   *
   * @return a version
   */
  public long base() {
    return base;
  }

  /**
   * Attributes set, whole values.
   *
   * @return in the order they were added
   */
  public List<StoredAttribute> changed() {
    return changed;
  }

  /**
   * Attributes removed.
   *
   * @return their names
   */
  public List<String> removed() {
    return removed;
  }

  /**
   * Attributes that turned local: what the record holds under their names is removed, and they are
   * listed there as not stored.
   *
   * @return in the order they were added; none is also set or removed
   */
  public List<LocalAttribute> local() {
    return local;
  }

  /**
   * The login, if it changed.
   *
   * @return null when unchanged; {@link Login#NONE} logs out
   */
  public Login login() {
    return login;
  }

  /**
   * How many sessions who logs in may have.
   *
   * @return null for any number
   */
  public SessionLimit limit() {
    return limit;
  }

  /**
   * The idle limit in seconds, if it changed.
   *
   * @return null when unchanged; 0 or less means never
   */
  public Integer maxIdleSeconds() {
    return maxIdleSeconds;
  }

  /**
   * Whether the save is of a request that began before this Tomcat lost the session.
   *
   * @return true if it may be stored under the ownership before the present one
   */
  public boolean late() {
    return late;
  }

  /**
   * Creation time; read only with epoch 0.
   *
   * @return milliseconds since 1970
   */
  public long createdMillis() {
    return createdMillis;
  }

  /**
   * Last access.
   *
   * @return milliseconds since 1970
   */
  public long lastAccessMillis() {
    return lastAccessMillis;
  }

  /** Collects a change; used by one thread, once. */
  public static final class Builder {

    private final long epoch;
    private final long base;
    private final List<StoredAttribute> changed = new ArrayList<>();
    private final List<String> removed = new ArrayList<>();
    private final List<LocalAttribute> local = new ArrayList<>(0);
    private Login login;
    private SessionLimit limit;
    private Integer maxIdleSeconds;
    private boolean late;
    private long createdMillis;
    private long lastAccessMillis;

    private Builder(long epoch, long base) {
      this.epoch = epoch;
      this.base = base;
    }

    /**
     * Sets an attribute.
     *
     * @param name at most 256 bytes of UTF-8
     * @param type the codec's type tag
     * @param bytes the encoded value, not copied
     * @return this
     */
    public Builder set(String name, int type, byte[] bytes) {
      changed.add(new StoredAttribute(name, 0, type, bytes));
      return this;
    }

    /**
     * Removes an attribute.
     *
     * @param name which
     * @return this
     */
    public Builder remove(String name) {
      removed.add(name);
      return this;
    }

    /**
     * Says that an attribute stays on this Tomcat.
     *
     * @param name which
     * @param className class of its value, for people
     * @return this
     */
    public Builder local(String name, String className) {
      local.add(new LocalAttribute(name, className));
      return this;
    }

    /**
     * Changes the login.
     *
     * @param value the login; {@link Login#NONE} logs out
     * @return this
     */
    public Builder login(Login value) {
      login = value;
      return this;
    }

    /**
     * Asks for a limit on the sessions of who logs in. Counted are the others of the application
     * that are logged in under the same name; one that was so before is not asked again.
     *
     * @param value the limit, or null for none; says nothing without a login
     * @return this
     */
    public Builder limit(SessionLimit value) {
      limit = value;
      return this;
    }

    /**
     * Changes the idle limit; needed when the session is created.
     *
     * @param seconds 0 or less means never
     * @return this
     */
    public Builder maxIdleSeconds(int seconds) {
      maxIdleSeconds = seconds;
      return this;
    }

    /**
     * Says whether the save is of a request that began before this Tomcat lost the session. It then
     * merges without taking the session back, as long as the epoch is that of the last holder
     * before the present one; the new owner is told to check its copy. With the current epoch the
     * word says nothing.
     *
     * @param value true leaves the session to its owner, false fences
     * @return this
     */
    public Builder late(boolean value) {
      late = value;
      return this;
    }

    /**
     * Says when the session was created and last used.
     *
     * @param created creation time, milliseconds since 1970
     * @param lastAccess last access, milliseconds since 1970
     * @return this
     */
    public Builder times(long created, long lastAccess) {
      createdMillis = created;
      lastAccessMillis = lastAccess;
      return this;
    }

    /**
     * Ends the change.
     *
     * @return the change; the builder is not used again
     */
    public SessionChange build() {
      return new SessionChange(this);
    }
  }
}
