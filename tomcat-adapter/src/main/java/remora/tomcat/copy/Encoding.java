package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import remora.tomcat.store.Login;

/**
 * What one name was found to hold when somebody looked, in the form in which the store is told. Its
 * stamp was drawn <em>before</em> the look began, so it holds every change whose mark is not
 * younger. Immutable.
 */
public final class Encoding {

  /** Stands for a value that its own rules keep out of the store, which is not told of it. */
  private static final Object KEPT = "kept here";

  /** How an encoding is told. */
  enum Kind {
    VALUE,
    REMOVED,
    LOCAL,
    KEPT,
    LOGIN,
    IDLE
  }

  private final String name;
  private final long stamp;
  private final Kind kind;
  private final Object content;
  private final Object print;

  private Encoding(String name, long stamp, Kind kind, Object content, Object print) {
    this.name = name;
    this.stamp = stamp;
    this.kind = kind;
    this.content = content;
    this.print = print;
  }

  /**
   * A value.
   *
   * @param name its attribute
   * @param stamp drawn before it was encoded
   * @param value its bytes
   * @return the encoding
   */
  public static Encoding value(String name, long stamp, EncodedValue value) {
    return new Encoding(name, stamp, Kind.VALUE, value, value.fingerprint());
  }

  /**
   * Nothing is there.
   *
   * @param name an attribute
   * @param stamp drawn before the look
   * @return the encoding
   */
  public static Encoding removed(String name, long stamp) {
    return new Encoding(name, stamp, Kind.REMOVED, null, null);
  }

  /**
   * A value that cannot be stored and stays on this Tomcat; the record lists it as not stored.
   *
   * @param name its attribute
   * @param stamp drawn before the look
   * @param className its class
   * @return the encoding
   */
  public static Encoding local(String name, long stamp, String className) {
    return new Encoding(name, stamp, Kind.LOCAL, className, localPrint(className));
  }

  /**
   * A value that is to stay here and is nobody else's business, by Tomcat's list or the manager's
   * filters.
   *
   * @param name its attribute
   * @param stamp drawn before the look
   * @return the encoding
   */
  public static Encoding kept(String name, long stamp) {
    return new Encoding(name, stamp, Kind.KEPT, null, KEPT);
  }

  /**
   * A container login.
   *
   * @param stamp drawn before the look
   * @param login {@link Login#NONE} for nobody
   * @return the encoding
   */
  public static Encoding login(long stamp, Login login) {
    return new Encoding(Names.LOGIN, stamp, Kind.LOGIN, login, loginPrint(login));
  }

  /**
   * An idle limit.
   *
   * @param stamp drawn before the look
   * @param seconds 0 or less means never
   * @return the encoding
   */
  public static Encoding idle(long stamp, int seconds) {
    return new Encoding(Names.IDLE, stamp, Kind.IDLE, seconds, seconds);
  }

  static Object localPrint(String className) {
    return "local " + className;
  }

  static Object loginPrint(Login login) {
    List<Object> print =
        new ArrayList<>(Arrays.asList(login.principal(), login.authType(), login.labels()));
    print.add(new TreeSet<>(login.roles()));
    return print;
  }

  static boolean staysHere(Object print) {
    return print instanceof String; // of a local or kept value
  }

  /**
   * What it is about.
   *
   * @return a name as the store has it
   */
  public String name() {
    return name;
  }

  long stamp() {
    return stamp;
  }

  Kind kind() {
    return kind;
  }

  /** What it is compared by; null if nothing is there. */
  Object print() {
    return print;
  }

  /**
   * The bytes of a value.
   *
   * @return what {@link #value(String, long, EncodedValue)} was given
   */
  public EncodedValue value() {
    return (EncodedValue) content;
  }

  int bytes() {
    return value().bytes().length;
  }

  String className() {
    return (String) content;
  }

  Login login() {
    return (Login) content;
  }

  int idle() {
    return (Integer) content;
  }

  /** The same, found again later. */
  Encoding at(long later) {
    return new Encoding(name, later, kind, content, print);
  }
}
