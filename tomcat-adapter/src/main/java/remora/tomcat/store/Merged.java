package remora.tomcat.store;

import java.util.Collections;
import java.util.List;
import java.util.Set;

/** What others changed since the base of a save; to be merged into the caller's copy. Immutable. */
public final class Merged {

  /** Others changed nothing. */
  public static final Merged NOTHING =
      new Merged(
          Collections.<StoredAttribute>emptyList(),
          false,
          Collections.<String>emptySet(),
          null,
          null,
          Collections.<LocalAttribute>emptyList());

  private final List<StoredAttribute> attributes;
  private final boolean removals;
  private final Set<String> names;
  private final Login login;
  private final Integer maxIdleSeconds;
  private final List<LocalAttribute> local;

  /**
   * Makes the list of others' changes.
   *
   * @param attributes attributes newer than the base
   * @param removals whether something was removed since the base
   * @param names all attribute names that exist now; only read when {@code removals} is true
   * @param login the login if it is newer than the base, else null
   * @param maxIdleSeconds the idle limit if it is newer than the base, else null
   * @param local attributes that live on one Tomcat alone; only read when {@code removals} is true
   */
  public Merged(
      List<StoredAttribute> attributes,
      boolean removals,
      Set<String> names,
      Login login,
      Integer maxIdleSeconds,
      List<LocalAttribute> local) {
    this.attributes = Collections.unmodifiableList(attributes);
    this.removals = removals;
    this.names = Collections.unmodifiableSet(names);
    this.login = login;
    this.maxIdleSeconds = maxIdleSeconds;
    this.local = Collections.unmodifiableList(local);
  }

  /**
   * The same with the values in another form.
   *
   * @param values for the attributes of {@link #attributes()}, in their order
   * @return a list of others' changes
   */
  public Merged withAttributes(List<StoredAttribute> values) {
    return new Merged(values, removals, names, login, maxIdleSeconds, local);
  }

  /**
   * Attributes that others set.
   *
   * @return attributes newer than the base
   */
  public List<StoredAttribute> attributes() {
    return attributes;
  }

  /**
   * Whether others have removed something since the base, whatever it was.
   *
   * @return false if {@link #removes} is false for every name
   */
  public boolean removesAnything() {
    return removals;
  }

  /**
   * Whether an attribute is gone: something was removed since the base and this name is not among
   * those that exist now.
   *
   * @param name an attribute of the caller's copy
   * @return whether the caller must drop it
   */
  public boolean removes(String name) {
    return removals && !names.contains(name);
  }

  /**
   * The login, if others changed it.
   *
   * @return null when unchanged; {@link Login#NONE} when it was logged out
   */
  public Login login() {
    return login;
  }

  /**
   * The idle limit in seconds, if others changed it.
   *
   * @return null when unchanged; 0 or less means never
   */
  public Integer maxIdleSeconds() {
    return maxIdleSeconds;
  }

  /**
   * Attributes that live on one Tomcat alone, if something was removed since the base.
   *
   * @return all of them, or none
   */
  public List<LocalAttribute> local() {
    return local;
  }

  /**
   * Whether there is nothing to merge.
   *
   * @return true if others changed nothing
   */
  public boolean isEmpty() {
    return attributes.isEmpty() && !removals && login == null && maxIdleSeconds == null;
  }
}
