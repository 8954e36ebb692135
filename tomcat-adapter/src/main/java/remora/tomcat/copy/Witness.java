package remora.tomcat.copy;

import java.util.HashMap;
import java.util.Map;

/**
 * What one request has seen of one session: names, each with the newest mark that it may have seen,
 * and the mutable objects that it was given. The request waits for these, compares these, and fails
 * with these; with nothing else.
 *
 * <p>Belongs to the request; its threads share it. Readings take no lock of the session's. What was
 * noted last comes first, and a chain once taken does not change but for marks that rise, so that
 * whoever walks it needs neither a lock nor a copy.
 */
public final class Witness {

  /** What was seen under one name. */
  static final class Seen {
    final String name;

    /** The copy's stamp when it was first read. */
    final long first;

    /** The newest mark that may have been seen; 0 if nothing was open. */
    private volatile long mark;

    /** What was seen before it; null at the end. */
    final Seen before;

    private Seen(String name, long first, long mark, Seen before) {
      this.name = name;
      this.first = first;
      this.mark = mark;
      this.before = before;
    }

    long mark() {
      return mark;
    }
  }

  /** A mutable object that the request may have in its hands. */
  static final class Handed {
    final String name;
    final Object value;

    /** What was handed out before it; null at the end. */
    final Handed before;

    private Handed(String name, Object value, Handed before) {
      this.name = name;
      this.value = value;
      this.before = before;
    }
  }

  /** Names up to which the chain is searched: most requests see two or three. */
  private static final int SEARCHED_MAX = 8;

  private final long sinceNanos;
  private Seen seen;
  private Handed handed;
  private int names;

  /** All that was seen, by name; null while there is little. */
  private Map<String, Seen> index;

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
    Seen earlier = find(name);
    if (earlier == null) {
      add(new Seen(name, stamp, mark, seen));
    } else if (mark > earlier.mark) {
      earlier.mark = mark;
    }
  }

  private Seen find(String name) {
    if (index != null) {
      return index.get(name);
    }
    Seen found = seen;
    while (found != null && !found.name.equals(name)) {
      found = found.before;
    }
    return found;
  }

  private void add(Seen added) {
    seen = added;
    names++;
    if (index != null) {
      index.put(added.name, added);
    } else if (names > SEARCHED_MAX) {
      index = new HashMap<>();
      for (Seen one = seen; one != null; one = one.before) {
        index.put(one.name, one);
      }
    }
  }

  synchronized void holds(String name, Object value) {
    for (Handed one = handed; one != null; one = one.before) {
      if (one.value == value && one.name.equals(name)) {
        return;
      }
    }
    handed = new Handed(name, value, handed);
  }

  /** The stamp at which a name was first seen; the greatest if it was not. */
  synchronized long firstSeen(String name) {
    Seen earlier = find(name);
    return earlier == null ? Long.MAX_VALUE : earlier.first;
  }

  /** What was seen last, and through it the rest; null if nothing was. */
  synchronized Seen seen() {
    return seen;
  }

  /** What was handed out last, and through it the rest; null if nothing was. */
  synchronized Handed handed() {
    return handed;
  }

  /**
   * Whether there is nothing to wait for, to compare or to fail with.
   *
   * @return true if no name was seen
   */
  public synchronized boolean isBlank() {
    return seen == null;
  }

  /** Forgets everything: it is settled, and what was handed out is out of use. */
  public synchronized void clear() {
    seen = null;
    handed = null;
    names = 0;
    index = null;
  }
}
