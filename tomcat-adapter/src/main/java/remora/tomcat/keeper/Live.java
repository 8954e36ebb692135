package remora.tomcat.keeper;

import remora.tomcat.copy.Values;

/**
 * The live session whose copy is kept: what the keeper needs of the object that the application
 * works on. Nothing here is called under a lock of the keeper's, but for what {@link Values} says.
 */
public interface Live extends Values {

  /**
   * Names how it is kept, before anybody can find it.
   *
   * @param held its keeping
   */
  void keptBy(Held held);

  /**
   * Its id here.
   *
   * @return with this Tomcat's route
   */
  String id();

  /**
   * When it was made.
   *
   * @return milliseconds since 1970
   */
  long createdMillis();

  /**
   * When it was last used.
   *
   * @return milliseconds since 1970
   */
  long lastAccessMillis();

  /**
   * Whether it has been idle for too long by this Tomcat's monotonic clock, which runs on when the
   * wall clock is set. Only a reason to ask, where the store has a record of it.
   *
   * @param graceMillis added to the idle limit; negative to ask whether that is near
   * @return false while a request uses it or if it never expires
   */
  boolean isIdleTooLong(long graceMillis);

  /** Ends it here, with its listeners; the store has ended it, or never had a record. */
  void end();

  /** Takes it out of this Tomcat without a word to its listeners: it lives or ended elsewhere. */
  void vanish();

  /**
   * Tells a value that it is not in the session any more.
   *
   * @param name the attribute that it was, as the store has it
   * @param value what the store's value has replaced
   */
  void letGo(String name, Object value);

  /**
   * Gives it another id here; the store has done so. Tells nobody.
   *
   * @param newId with this Tomcat's route
   */
  void rename(String newId);
}
