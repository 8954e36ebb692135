package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What one request has seen of one session: names, each with the newest mark that it may have seen,
 * and the mutable objects that it was given. The request waits for these, compares these, and fails
 * with these; with nothing else.
 *
 * <p>Belongs to the request; its threads share it. Readings take no lock of the session's.
 */
public final class Witness {

  /** What was seen under one name. */
  static final class Seen {
    final String name;

    /** The copy's stamp when it was first read. */
    final long first;

    /** The newest mark that may have been seen; 0 if nothing was open. */
    private long mark;

    private Seen(String name, long first, long mark) {
      this.name = name;
      this.first = first;
      this.mark = mark;
    }

    long mark() {
      return mark;
    }
  }

  /** A mutable object that the request may have in its hands. */
  static final class Handed {
    final String name;
    final Object value;

    private Handed(String name, Object value) {
      this.name = name;
      this.value = value;
    }
  }

  private final long sinceNanos;
  private final Map<String, Seen> seen = new HashMap<>(4);
  private final List<Handed> handed = new ArrayList<>(0);

  /**
   * A request that has seen nothing yet.
   *
   * @param sinceNanos monotonic time at which it began
   */
  public Witness(long sinceNanos) {
    this.sinceNanos = sinceNanos;
  }

  /**
   * When the request began.
   *
   * @return monotonic time
   */
  public long sinceNanos() {
    return sinceNanos;
  }

  synchronized void saw(String name, long stamp, long mark) {
    Seen before = seen.get(name);
    if (before == null) {
      seen.put(name, new Seen(name, stamp, mark));
    } else if (mark > before.mark) {
      before.mark = mark;
    }
  }

  synchronized void holds(String name, Object value) {
    for (Handed one : handed) {
      if (one.value == value && one.name.equals(name)) {
        return;
      }
    }
    handed.add(new Handed(name, value));
  }

  /** The stamp at which a name was first seen; the greatest if it was not. */
  synchronized long firstSeen(String name) {
    Seen before = seen.get(name);
    return before == null ? Long.MAX_VALUE : before.first;
  }

  synchronized List<Seen> seen() {
    return new ArrayList<>(seen.values());
  }

  synchronized List<Handed> handed() {
    return new ArrayList<>(handed);
  }

  /**
   * Whether there is nothing to wait for, to compare or to fail with.
   *
   * @return true if no name was seen
   */
  public synchronized boolean isBlank() {
    return seen.isEmpty();
  }

  /** Forgets everything: it is settled, and what was handed out is out of use. */
  public synchronized void clear() {
    seen.clear();
    handed.clear();
  }
}
