package remora.tomcat.store;

import java.util.Collections;
import java.util.List;

/** A whole record, as its new owner receives it. Immutable. */
public final class StoredSession {

  private final long version;
  private final long epoch;
  private final long createdVersion;
  private final Owner owner;
  private final long createdMillis;
  private final long lastAccessMillis;
  private final int maxIdleSeconds;
  private final Login login;
  private final List<StoredAttribute> attributes;
  private final List<LocalAttribute> local;

  /**
   * Makes a record.
   *
   * @param version the table's change counter at the command that last changed the record
   * @param epoch version of the command that began the present ownership
   * @param createdVersion version of the command that created the session
   * @param owner who holds it
   * @param createdMillis creation time, milliseconds since 1970
   * @param lastAccessMillis last access, milliseconds since 1970
   * @param maxIdleSeconds idle limit; 0 or less means never
   * @param login the login, {@link Login#NONE} if there is none
   * @param attributes all attributes, in the order of their names
   * @param local attributes that live on one Tomcat alone, in the order of their names
   */
  public StoredSession(
      long version,
      long epoch,
      long createdVersion,
      Owner owner,
      long createdMillis,
      long lastAccessMillis,
      int maxIdleSeconds,
      Login login,
      List<StoredAttribute> attributes,
      List<LocalAttribute> local) {
    this.version = version;
    this.epoch = epoch;
    this.createdVersion = createdVersion;
    this.owner = owner;
    this.createdMillis = createdMillis;
    this.lastAccessMillis = lastAccessMillis;
    this.maxIdleSeconds = maxIdleSeconds;
    this.login = login;
    this.attributes = Collections.unmodifiableList(attributes);
    this.local = Collections.unmodifiableList(local);
  }

  /**
   * The same record with its values in another form.
   *
   * @param values for the attributes of {@link #attributes()}, in their order
   * @return a record
   */
  public StoredSession withAttributes(List<StoredAttribute> values) {
    return new StoredSession(
        version,
        epoch,
        createdVersion,
        owner,
        createdMillis,
        lastAccessMillis,
        maxIdleSeconds,
        login,
        values,
        local);
  }

  /**
   * When the record last changed; the base of the next save.
   *
   * @return the version
   */
  public long version() {
    return version;
  }

  /**
   * The ownership, compared for equality only.
   *
   * @return the epoch
   */
  public long epoch() {
    return epoch;
  }

  /**
   * Names this life of the key.
   *
   * @return version of the command that created the session
   */
  public long createdVersion() {
    return createdVersion;
  }

  /**
   * Who holds the session.
   *
   * @return the owner
   */
  public Owner owner() {
    return owner;
  }

  /**
   * Creation time as the creating adapter said it.
   *
   * @return milliseconds since 1970
   */
  public long createdMillis() {
    return createdMillis;
  }

  /**
   * Last access as an adapter last said it.
   *
   * @return milliseconds since 1970
   */
  public long lastAccessMillis() {
    return lastAccessMillis;
  }

  /**
   * The idle limit.
   *
   * @return seconds; 0 or less means that the session never expires
   */
  public int maxIdleSeconds() {
    return maxIdleSeconds;
  }

  /**
   * The login.
   *
   * @return never null; {@link Login#NONE} when nobody is logged in
   */
  public Login login() {
    return login;
  }

  /**
   * All attributes.
   *
   * @return in the order of their names
   */
  public List<StoredAttribute> attributes() {
    return attributes;
  }

  /**
   * Attributes that could not be stored and live on one Tomcat alone.
   *
   * @return in the order of their names; none of them is among the attributes
   */
  public List<LocalAttribute> local() {
    return local;
  }
}
