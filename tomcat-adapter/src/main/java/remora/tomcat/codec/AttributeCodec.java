package remora.tomcat.codec;

import java.io.IOException;
import java.io.InvalidClassException;
import java.util.function.IntSupplier;

/**
 * Encodes and decodes attribute values for one application. Thread-safe.
 *
 * <p>One rule holds on both sides: what encodes is decoded by the same application on another
 * Tomcat, and what it would not read is refused when it is written, with the same sentence. The
 * codec's own exceptions are the only ones that any value or any bytes can cause; memory that runs
 * out aside.
 */
public final class AttributeCodec {

  private final ClassLoader loader;
  private final ClassFilter filter;
  private final ReadableClasses readable;
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
    this.readable = new ReadableClasses(loader, filter);
    this.valueBytesMax = valueBytesMax;
  }

  /**
   * Encodes a value. Equal values of the adapter's own format give equal bytes.
   *
   * @param value not null
   * @return type tag and bytes
   * @throws UnstorableException of any kind but {@link Unstorable#CONTAINER}; one that {@link
   *     Unstorable#isTransient} is worth another try after a pause
   */
  public Encoded encode(Object value) {
    Encoded typed = writeTyped(value);
    return typed == null ? serialize(value) : typed;
  }

  /**
   * Encodes a value for a thread that may hold monitors of the application's, as a page does that
   * prints within {@code synchronized}: it does not wait for ever for another such thread.
   *
   * @param value not null
   * @return as {@link #encode}
   * @throws UnstorableException as {@link #encode}; transient where another thread holds what the
   *     value needs
   */
  public Encoded encodeAside(Object value) {
    Encoded typed = writeTyped(value);
    if (typed != null) {
      return typed;
    } else if (Thread.holdsLock(value)) {
      return serialize(value); // whoever waits for it waits for this thread, and not for ever
    }
    try {
      return Aside.call(() -> serialize(value));
    } catch (Aside.BlockedException blocked) {
      throw Failures.explain(value, blocked);
    }
  }

  private Encoded writeTyped(Object value) {
    ByteSink sink = new ByteSink(valueBytesMax.getAsInt());
    try {
      int tag = new TypedWriter(sink, readable).write(value);
      return tag == TypedWriter.UNKNOWN ? null : new Encoded(tag, sink.toBytes());
    } catch (RuntimeException | Error failed) {
      throw refused(value, sink, failed);
    }
  }

  private Encoded serialize(Object value) {
    ByteSink sink = new ByteSink(valueBytesMax.getAsInt());
    try {
      new ApplicationObjectOutput(sink, readable).writeValue(value);
      return new Encoded(Tag.JAVA, sink.toBytes());
    } catch (IOException | RuntimeException | Error failed) {
      throw refused(value, sink, failed);
    }
  }

  private static UnstorableException refused(Object value, ByteSink sink, Throwable failed) {
    if (failed instanceof OutOfMemoryError) {
      throw (OutOfMemoryError) failed;
    } else if (!sink.isOverfull()) {
      return Failures.explain(value, failed);
    }
    String type = value.getClass().getName();
    String sentence = type + " takes more than " + sink.limit() + " bytes; keep less in it";
    return new UnstorableException(Unstorable.TOO_LARGE, type, sentence, null);
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
      return DeepStack.call(() -> decodeNow(type, bytes));
    } catch (CodecException failed) {
      return new Undecodable(type, bytes, failed);
    } catch (StackOverflowError tooDeep) {
      return new Undecodable(type, bytes, unreadable(tooDeep));
    }
  }

  private static CodecException unreadable(Throwable failed) {
    return new CodecException("the stored value cannot be read: " + failed, failed);
  }

  private Object decodeNow(int type, byte[] bytes) {
    try {
      Object value;
      if (type == Closed.TAG) {
        throw new CodecException(Closed.sentence(bytes));
      } else if (type == Closed.SEALED) {
        throw new CodecException("it is encrypted, and this Tomcat has no encryptionKeys");
      } else if (type == Tag.JAVA) {
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
    } catch (OutOfMemoryError | StackOverflowError passedOn) {
      throw passedOn;
    } catch (IOException | RuntimeException | Error failed) {
      throw unreadable(failed);
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
