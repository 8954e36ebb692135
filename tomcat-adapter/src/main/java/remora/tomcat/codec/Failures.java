package remora.tomcat.codec;

import java.io.NotSerializableException;
import java.util.ConcurrentModificationException;
import java.util.NoSuchElementException;

/** What a failure while a value is written says of the value. Pure. */
final class Failures {

  /** Causes that are followed; more are a circle. */
  private static final int CAUSES_MAX = 16;

  private Failures() {}

  /**
   * Names a failure.
   *
   * @param value what was being written
   * @param failed what was thrown; not memory that ran out
   */
  static UnstorableException explain(Object value, Throwable failed) {
    String type = value.getClass().getName();
    if (failed instanceof UnstorableException) {
      return (UnstorableException) failed;
    } else if (changes(failed)) {
      String sentence = type + " is changed by another thread while it is saved";
      return new UnstorableException(Unstorable.CHANGING, type, sentence, failed);
    } else if (failed instanceof Aside.BlockedException) {
      String sentence = type + " is held by another thread while it is saved";
      return new UnstorableException(Unstorable.CHANGING, type, sentence, failed);
    } else if (failed instanceof NotSerializableException) {
      String missing = className(failed.getMessage(), type);
      String sentence = type + " cannot be saved: class " + missing + " is not Serializable";
      return new UnstorableException(Unstorable.NOT_SERIALIZABLE, missing, sentence, failed);
    } else if (failed instanceof StackOverflowError) {
      // Its thousands of frames say nothing that the sentence does not.
      String sentence = type + " cannot be saved: it nests too deep for the thread's stack";
      return new UnstorableException(Unstorable.BROKEN, type, sentence, null);
    }
    String sentence = type + " cannot be saved: " + failed;
    return new UnstorableException(Unstorable.BROKEN, type, sentence, failed);
  }

  /** The JDK's message is the name, with more lines if it is told to trace. */
  private static String className(String message, String otherwise) {
    if (message == null || message.isEmpty()) {
      return otherwise;
    }
    int end = message.indexOf('\n');
    return end < 0 ? message : message.substring(0, end);
  }

  private static boolean changes(Throwable failed) {
    Throwable each = failed;
    for (int i = 0; i < CAUSES_MAX && each != null; i++) {
      if (each instanceof ConcurrentModificationException
          || (isOfTornState(each) && isOfCollection(each.getStackTrace()))) {
        return true;
      }
      each = each.getCause();
    }
    return false;
  }

  private static boolean isOfTornState(Throwable failed) {
    return failed instanceof IndexOutOfBoundsException
        || failed instanceof NullPointerException
        || failed instanceof NegativeArraySizeException
        || failed instanceof NoSuchElementException;
  }

  /**
   * Whether a collection of the JDK failed in its own code, called by serialization or by the
   * codec: one that is called by an application's writeObject fails by the application's doing.
   */
  private static boolean isOfCollection(StackTraceElement[] frames) {
    boolean inCollection = false;
    for (StackTraceElement frame : frames) {
      String name = frame.getClassName();
      if (name.startsWith("java.util.")) {
        inCollection = true;
      } else if (!name.startsWith("java.lang.")
          && !name.startsWith("jdk.internal.")
          && !name.startsWith("sun.reflect.")) {
        return inCollection && (name.startsWith("java.io.") || isOurs(name));
      }
    }
    return false;
  }

  private static boolean isOurs(String className) {
    return className.equals(TypedWriter.class.getName())
        || className.equals(ApplicationObjectOutput.class.getName());
  }
}
