package remora.tomcat.codec;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.ConcurrentModificationException;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;

/**
 * Writes Java serialization that the same application can read: every class that the bytes will
 * name is checked as it is written, by what {@link ApplicationObjectInput} will ask.
 *
 * <p>Some collections of the JDK write their size first and then their elements without looking
 * whether another thread came between; what they then wrote cannot be read. A copy is written in
 * their place, made by an iterator that looks.
 */
final class ApplicationObjectOutput extends ObjectOutputStream {

  private final ReadableClasses readable;

  /** Subclasses of hash maps as they were met, and their sizes then. */
  private final List<HashMap<?, ?>> met = new ArrayList<>();

  private final List<Integer> sizes = new ArrayList<>();

  /** The first class that was refused: an application's own code may have caught the exception. */
  private UnstorableException refused;

  ApplicationObjectOutput(OutputStream stream, ReadableClasses readable) throws IOException {
    super(stream);
    this.readable = readable;
    enableReplaceObject(true);
  }

  /** Writes one value and no other. */
  void writeValue(Object value) throws IOException {
    writeObject(value);
    flush();
    if (refused != null) {
      throw refused;
    }
    for (int i = 0; i < met.size(); i++) {
      if (met.get(i).size() != sizes.get(i)) {
        throw new ConcurrentModificationException(met.get(i).getClass().getName());
      }
    }
  }

  @Override
  protected void annotateClass(Class<?> type) {
    check(type);
  }

  @Override
  protected void annotateProxyClass(Class<?> type) {
    for (Class<?> each : type.getInterfaces()) {
      check(each);
    }
  }

  private void check(Class<?> type) {
    try {
      readable.checkNamed(type);
    } catch (UnstorableException named) {
      throw refuse(named);
    }
  }

  private UnstorableException refuse(UnstorableException now) {
    if (refused == null) {
      refused = now;
    }
    return now;
  }

  @Override
  protected Object replaceObject(Object value) {
    Class<?> type = value.getClass();
    try {
      readable.checkMade(type);
    } catch (UnstorableException neverMade) {
      throw refuse(neverMade);
    }
    if (type == HashMap.class || type == LinkedHashMap.class) {
      return ((HashMap<?, ?>) value).clone();
    } else if (type == LinkedList.class) {
      return ((LinkedList<?>) value).clone();
    } else if (type == ArrayDeque.class) {
      return ((ArrayDeque<?>) value).clone();
    } else if (type == IdentityHashMap.class) {
      return ((IdentityHashMap<?, ?>) value).clone();
    } else if (value instanceof HashMap) {
      met.add((HashMap<?, ?>) value);
      sizes.add(((HashMap<?, ?>) value).size());
    }
    return value;
  }
}
