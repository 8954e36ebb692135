package remora.tomcat.codec;

import java.io.IOException;
import java.io.InvalidClassException;
import java.io.NotSerializableException;
import java.io.ObjectOutputStream;
import java.util.ConcurrentModificationException;
import java.util.function.IntSupplier;

/**
 * Encodes and decodes attribute values for one application. Thread-safe.
 *
 * <p>The codec's own exception is the only one that any value or any bytes can cause; memory that
 * runs out aside.
 */
public final class AttributeCodec {

  /** How often a value that another request changes meanwhile is tried. */
  private static final int TRIES = 4;

  private final ClassLoader loader;
  private final ClassFilter filter;
  private final IntSupplier valueBytesMax;

  /**
   * Makes a codec.
   *
   * @param loader the application's class loader
   * @param filter which classes may be loaded
   * @param valueBytesMax the largest encoded value in bytes, at least 1; asked for every value
   */
  public AttributeCodec(ClassLoader loader, ClassFilter filter, IntSupplier valueBytesMax) {
    this.loader = loader;
    this.filter = filter;
    this.valueBytesMax = valueBytesMax;
  }

  /**
   * Encodes a value. Equal values of the adapter's own format give equal bytes.
   *
   * @param value not null
   * @return type tag and bytes
   * @throws CodecException with a sentence if the value is not serializable, is too large, changes
   *     all the time, or fails while it is written
   */
  public Encoded encode(Object value) {
    ConcurrentModificationException changing = null;
    for (int attempt = 0; attempt < TRIES; attempt++) {
      try {
        return encodeNow(value);
      } catch (ConcurrentModificationException changed) {
        changing = changed;
      }
    }
    throw new CodecException(
        value.getClass().getName() + " is changed by another thread while it is saved", changing);
  }

  private Encoded encodeNow(Object value) {
    String type = value.getClass().getName();
    try {
      ByteSink sink = new ByteSink(valueBytesMax.getAsInt());
      int tag = new TypedWriter(sink).write(value);
      return tag == TypedWriter.UNKNOWN ? serialize(value) : new Encoded(tag, sink.toBytes());
    } catch (CodecException | ConcurrentModificationException known) {
      throw known;
    } catch (NotSerializableException missing) {
      throw new CodecException(
          type + " cannot be saved: class " + missing.getMessage() + " is not Serializable",
          missing);
    } catch (OutOfMemoryError passedOn) {
      throw passedOn;
    } catch (IOException | RuntimeException | Error failed) {
      throw new CodecException(type + " cannot be saved: " + failed, failed);
    }
  }

  private Encoded serialize(Object value) throws IOException {
    ByteSink stream = new ByteSink(valueBytesMax.getAsInt());
    try (ObjectOutputStream output = new ObjectOutputStream(stream)) {
      output.writeObject(value);
    }
    return new Encoded(Tag.JAVA, stream.toBytes());
  }

  /**
   * Decodes a value, or keeps its bytes.
   *
   * @param type the type tag that came with the bytes
   * @param bytes the encoded value; belongs to the result if it is {@link Undecodable}
   * @return the value, or an {@link Undecodable}; never null
   */
  public Object decode(int type, byte[] bytes) {
    try {
      return decodeNow(type, bytes);
    } catch (CodecException failed) {
      return new Undecodable(type, bytes, failed);
    }
  }

  private Object decodeNow(int type, byte[] bytes) {
    try {
      Object value;
      if (type == Tag.JAVA) {
        try (ApplicationObjectInput input = new ApplicationObjectInput(bytes, loader, filter)) {
          value = input.readObject();
        }
      } else {
        value = new TypedReader(new ByteSource(bytes), loader, filter).readAll(type);
      }
      if (value == null) {
        throw new CodecException("the stored value is null, which no attribute can be");
      }
      return value;
    } catch (CodecException ours) {
      throw ours;
    } catch (ClassNotFoundException missing) {
      throw new CodecException(
          "the application has no class " + missing.getMessage() + " to read it with", missing);
    } catch (InvalidClassException changed) {
      throw new CodecException(
          "the stored value does not fit its class or goes beyond the limits: "
              + changed.getMessage(),
          changed);
    } catch (OutOfMemoryError passedOn) {
      throw passedOn;
    } catch (IOException | RuntimeException | Error failed) {
      throw new CodecException("the stored value cannot be read: " + failed, failed);
    }
  }

  /**
   * Whether equal values give equal bytes, so that a decoded value encodes to what it came from.
   *
   * @param type a type tag
   * @return false for Java serialization
   */
  public static boolean isCanonical(int type) {
    return type != Tag.JAVA;
  }

  /**
   * Whether a value cannot change in place, so that it need not be compared at the end of a
   * request.
   *
   * @param value not null
   * @return true only for types known to be immutable
   */
  public static boolean isImmutable(Object value) {
    return Immutables.contains(value);
  }
}
