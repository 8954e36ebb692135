package remora.tomcat;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.codec.AttributeCodec;
import remora.tomcat.codec.ClassFilter;
import remora.tomcat.codec.ContainerOwned;
import remora.tomcat.codec.Encoded;
import remora.tomcat.codec.StoredNames;
import remora.tomcat.codec.Undecodable;
import remora.tomcat.codec.Unstorable;
import remora.tomcat.codec.UnstorableException;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.copy.Encoding;
import remora.tomcat.copy.Names;
import remora.tomcat.keeper.Encoder;
import remora.tomcat.keeper.Live;
import remora.tomcat.keeper.PermanentFaultException;
import remora.tomcat.store.ApplicationStatus;
import remora.tomcat.store.Login;

/**
 * The values of one application to bytes and back. A value that cannot be stored stays on this
 * Tomcat, where its page goes on as under Tomcat's own manager, and is said once per class; bytes
 * that cannot be decoded keep as they are and are said once per attribute and reason. Thread-safe.
 */
final class SessionEncoder implements Encoder {

  private static final Log log = LogFactory.getLog(SessionEncoder.class);

  /** How many different complaints are told apart; more say nothing new. */
  private static final int REPORTED_MAX = 1000;

  /** The store lists no longer names, in bytes of UTF-8. */
  private static final int NAME_BYTES_MAX = 256;

  private static final String REMEDY =
      " Make it Serializable, keep it out of the session, or name it in sessionAttributeNameFilter"
          + " or sessionAttributeValueClassNameFilter of the <Manager> element.";

  private final ClassLoader loader;
  private final AttributeCodec codec;
  private final FrameworkUsers users;
  private final boolean keepsLocal;
  private final Set<String> reported = ConcurrentHashMap.newKeySet();
  private final Set<String> unstorableClasses = ConcurrentHashMap.newKeySet();
  private final LongAdder local = new LongAdder();
  private final LongAdder undecodable = new LongAdder();

  /**
   * Makes the values of one application.
   *
   * @param loader the application's class loader
   * @param allowed what the names of deserialized classes must match, or null for all that are not
   *     known to be dangerous
   * @param valueBytesMax the largest encoded value in bytes; asked for every value
   * @param keepsLocal whether a value that cannot be stored stays here; else its request fails
   */
  SessionEncoder(
      ClassLoader loader, Pattern allowed, IntSupplier valueBytesMax, boolean keepsLocal) {
    this.loader = loader;
    this.codec = new AttributeCodec(loader, new ClassFilter(allowed), valueBytesMax);
    this.users = new FrameworkUsers(loader);
    this.keepsLocal = keepsLocal;
  }

  @Override
  public Encoding encode(Live session, String name, long stamp) {
    Object value = session.peek(name);
    if (FrameworkUsers.concerns(name) && !(value instanceof EncodedValue)) {
      ((RemoraSession) session).frameworkLogin(asApplication(() -> users.login(name, value)));
    }
    if (Names.LOGIN.equals(name)) {
      return Encoding.login(stamp, (Login) value);
    } else if (Names.IDLE.equals(name)) {
      return Encoding.idle(stamp, (Integer) value);
    } else if (value == null) {
      return Encoding.removed(name, stamp);
    } else if (value instanceof EncodedValue) {
      return Encoding.value(name, stamp, (EncodedValue) value); // nobody has touched it
    } else if (((RemoraSession) session).keepsForItself(name, value)) {
      return Encoding.kept(name, stamp);
    }
    return encode(name, value, stamp);
  }

  @Override
  public Encoding encode(String name, Object value, long stamp) {
    try {
      ContainerOwned.check(StoredNames.toApplication(name), value);
      Encoded encoded = encodeAsApplication(value);
      if (isTooLong(name)) {
        return tooLongAName(name, value, stamp);
      }
      return Encoding.value(name, stamp, stored(value, encoded));
    } catch (UnstorableException refused) {
      return unstorable(name, value, stamp, refused);
    }
  }

  private static EncodedValue stored(Object value, Encoded encoded) {
    return new EncodedValue(EndListeners.marked(encoded.type(), value), encoded.bytes());
  }

  private Encoded encodeAsApplication(Object value) {
    RequestScope scope = RequestScope.current();
    boolean mayHoldMonitors = scope != null && !scope.isPageOver(); // threads of ours hold none
    return asApplication(() -> mayHoldMonitors ? codec.encodeAside(value) : codec.encode(value));
  }

  private Encoding unstorable(String name, Object value, long stamp, UnstorableException refused) {
    String sentence = "session attribute \"" + show(name) + "\": " + refused.getMessage() + '.';
    if (refused.kind().isTransient()) {
      throw new ChangingException(sentence, refused);
    } else if (refused.kind() == Unstorable.CONTAINER) {
      return Encoding.kept(name, stamp);
    } else if (StoredNames.isHidden(name)) {
      return Encoding.removed(name, stamp); // name and roles of the login travel all the same
    } else if (!keepsLocal) {
      throw new PermanentFaultException(sentence + REMEDY, refused);
    }
    local.increment();
    if (unstorableClasses.size() < ApplicationStatus.CLASSES_MAX) {
      unstorableClasses.add(refused.className());
    }
    if (isNews(refused.kind() + " " + refused.className())) {
      log.warn(
          sentence
              + " It stays on this Tomcat and is lost with it; the session goes on elsewhere"
              + " without it."
              + REMEDY);
    }
    return isTooLong(name)
        ? Encoding.kept(name, stamp)
        : Encoding.local(name, stamp, value.getClass().getName());
  }

  private Encoding tooLongAName(String name, Object value, long stamp) {
    String sentence =
        "A session attribute's name is longer than "
            + NAME_BYTES_MAX
            + " bytes: \""
            + show(name)
            + "\"";
    if (!keepsLocal) {
      throw new PermanentFaultException(sentence, null);
    }
    local.increment();
    if (isNews("name of " + value.getClass().getName())) {
      log.warn(sentence + ". It stays on this Tomcat and is lost with it.");
    }
    return Encoding.kept(name, stamp);
  }

  private static boolean isTooLong(String name) {
    return name.length() * 3 > NAME_BYTES_MAX
        && name.getBytes(StandardCharsets.UTF_8).length > NAME_BYTES_MAX;
  }

  private boolean isNews(String complaint) {
    return reported.size() < REPORTED_MAX && reported.add(complaint);
  }

  private static String show(String name) {
    String shown = StoredNames.toApplication(name);
    return shown.length() > 80 ? shown.substring(0, 80) + "..." : shown;
  }

  /**
   * Decodes a value.
   *
   * @param name the attribute, for messages
   * @param encoded the bytes
   * @return the value, or null if this application cannot decode it; logged once
   */
  Object decode(String name, EncodedValue encoded) {
    int type = EndListeners.unmarked(encoded.type());
    Object value = asApplication(() -> codec.decode(type, encoded.bytes()));
    if (!(value instanceof Undecodable)) {
      return value;
    }
    undecodable.increment();
    String complaint = ((Undecodable) value).cause().getMessage();
    if (isNews(name + ": " + complaint)) {
      log.warn(
          "Session attribute \""
              + show(name)
              + "\" is hidden from this application: "
              + complaint
              + ". Its bytes stay in the store for an application that can read them.");
    }
    return null;
  }

  /**
   * The fingerprint that a value has when it is encoded again unchanged. Java serialization does
   * not write the same bytes again after a round trip: the capacity of a map differs, for example.
   *
   * @param name the attribute, for messages
   * @param encoded what the value was decoded from
   * @param value the value, not changed since
   * @return that of the bytes that the next comparison would make
   */
  EncodedValue.Fingerprint fingerprintAgain(String name, EncodedValue encoded, Object value) {
    if (AttributeCodec.isCanonical(EndListeners.unmarked(encoded.type()))) {
      return encoded.fingerprint();
    }
    try {
      Encoded again = asApplication(() -> codec.encode(value));
      return stored(value, again).fingerprint();
    } catch (UnstorableException notAgain) {
      return encoded.fingerprint(); // the request that changes the session will say why
    }
  }

  /**
   * Whether a value may change without {@code setAttribute}.
   *
   * @param value a live value
   * @return false only for types known to be immutable
   */
  boolean isMutable(Object value) {
    return !AttributeCodec.isImmutable(value);
  }

  /**
   * How many values were found that stay on this Tomcat.
   *
   * @return a count that rises for ever
   */
  long local() {
    return local.sum();
  }

  /**
   * Classes of values that stay on this Tomcat.
   *
   * @return names of the first that were met
   */
  Set<String> unstorableClasses() {
    return Collections.unmodifiableSet(unstorableClasses);
  }

  /**
   * How many logins of frameworks have no name that operators could look for.
   *
   * @return a count that rises for ever
   */
  long namelessLogins() {
    return users.failed();
  }

  /**
   * How many values could not be decoded.
   *
   * @return a count that rises for ever
   */
  long undecodable() {
    return undecodable.sum();
  }

  /**
   * Runs an application's own serialization as a request would: sessions are settled in the Host's
   * pipeline and on other threads too, where the context class loader is the server's.
   */
  private <T> T asApplication(Supplier<T> work) {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    if (before == loader) {
      return work.get();
    }
    thread.setContextClassLoader(loader);
    try {
      return work.get();
    } finally {
      thread.setContextClassLoader(before);
    }
  }
}
