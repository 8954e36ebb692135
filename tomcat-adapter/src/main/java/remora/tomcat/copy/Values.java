package remora.tomcat.copy;

import java.util.Set;
import remora.tomcat.store.Login;

/**
 * The live side of a session: the values that the application works on. A copy knows only what the
 * store has of them and what has changed.
 *
 * <p>All but {@link #peek} are called under the copy's lock: they must be quick and run no code of
 * the application's.
 */
public interface Values {

  /**
   * What is there.
   *
   * @param name a name as the store has it, {@link Names} included
   * @return a live value, an {@link EncodedValue} that nobody has asked for yet, a {@link Login},
   *     the idle limit as an Integer, or null
   */
  Object peek(String name);

  /**
   * The names of all attributes, those of {@link Names} that are stored as such included.
   *
   * @return a snapshot
   */
  Set<String> names();

  /**
   * Puts the store's value in the place of what is there; no listener hears of it.
   *
   * @param name an attribute
   * @param value its bytes
   */
  void fill(String name, EncodedValue value);

  /**
   * Puts a live value in the place of its bytes.
   *
   * @param name an attribute
   * @param bytes what must still be there
   * @param value what the bytes mean
   * @return false if something else is there
   */
  boolean decoded(String name, EncodedValue bytes, Object value);

  /**
   * Takes a value away; no listener hears of it.
   *
   * @param name an attribute
   */
  void drop(String name);

  /**
   * Takes the store's login over.
   *
   * @param login {@link Login#NONE} for nobody
   */
  void login(Login login);

  /**
   * Takes the store's idle limit over.
   *
   * @param seconds 0 or less means never
   */
  void idle(int seconds);
}
