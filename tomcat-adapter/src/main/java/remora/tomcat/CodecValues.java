package remora.tomcat;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.codec.AttributeCodec;
import remora.tomcat.codec.ClassFilter;
import remora.tomcat.codec.ContainerOwned;
import remora.tomcat.codec.Encoded;
import remora.tomcat.codec.Undecodable;
import remora.tomcat.codec.Unstorable;
import remora.tomcat.codec.UnstorableException;

/**
 * Attribute values through the adapter's codec, with messages that name the attribute. What cannot
 * be decoded keeps its bytes and is reported once per attribute and reason.
 */
final class CodecValues implements AttributeValues {

  private static final Log log = LogFactory.getLog(CodecValues.class);

  /** How many different complaints are told apart; more say nothing new. */
  private static final int REPORTED_MAX = 1000;

  /** How often a value that another request changes meanwhile is tried. */
  private static final int TRIES = 4;

  private static final String REMEDY =
      ". Make it Serializable, keep it out of the session, or keep it on this Tomcat alone with"
          + " sessionAttributeNameFilter or sessionAttributeValueClassNameFilter in the <Manager>"
          + " element";

  private final ClassLoader loader;
  private final AttributeCodec codec;
  private final Set<String> reported = ConcurrentHashMap.newKeySet();

  /**
   * Makes the values of one application.
   *
   * @param loader the application's class loader
   * @param allowed what the names of deserialized classes must match, or null for all that are not
   *     known to be dangerous
   * @param valueBytesMax the largest encoded value in bytes; asked for every value
   */
  CodecValues(ClassLoader loader, Pattern allowed, IntSupplier valueBytesMax) {
    this.loader = loader;
    codec = new AttributeCodec(loader, new ClassFilter(allowed), valueBytesMax);
  }

  @Override
  public EncodedValue encode(String name, Object value) {
    try {
      ContainerOwned.check(name, value);
      Encoded encoded = asApplication(() -> encodeSettled(value));
      return new EncodedValue(encoded.type(), encoded.bytes());
    } catch (UnstorableException refused) {
      throw new SaveFailedException(
          "session attribute \""
              + name
              + "\": "
              + refused.getMessage()
              + (refused.kind() == Unstorable.NOT_SERIALIZABLE ? REMEDY : ""),
          refused);
    }
  }

  private Encoded encodeSettled(Object value) {
    for (int attempt = 1; ; attempt++) {
      try {
        return codec.encode(value);
      } catch (UnstorableException refused) {
        if (!refused.kind().isTransient() || attempt == TRIES) {
          throw refused;
        }
      }
    }
  }

  @Override
  public Object decode(String name, EncodedValue encoded) {
    Object value = asApplication(() -> codec.decode(encoded.type(), encoded.bytes()));
    if (!(value instanceof Undecodable)) {
      return value;
    }
    String complaint = ((Undecodable) value).cause().getMessage();
    if (reported.size() < REPORTED_MAX && reported.add(name + ": " + complaint)) {
      log.warn(
          "Session attribute \""
              + name
              + "\" is hidden from this application: "
              + complaint
              + ". Its bytes stay in the store for an application that can read them.");
    }
    return null;
  }

  @Override
  public EncodedValue.Fingerprint fingerprintAgain(
      String name, EncodedValue encoded, Object value) {
    if (AttributeCodec.isCanonical(encoded.type())) {
      return encoded.fingerprint();
    }
    try {
      return encode(name, value).fingerprint();
    } catch (SaveFailedException notAgain) {
      return encoded.fingerprint(); // the request that changes the session will say why
    }
  }

  @Override
  public boolean isMutable(Object value) {
    return !AttributeCodec.isImmutable(value);
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
