package remora.tomcat.copy;

import java.util.HashMap;
import java.util.Map;
import java.util.Objects;

/**
 * What the store has, as far as this copy was told: for each name its version and what its value is
 * compared by; the bytes themselves are not kept. Not thread-safe.
 */
final class Ledger {

  /** What the store has under one name. */
  private static final class Known {
    private final long version;
    private final Object print;

    private Known(long version, Object print) {
      this.version = version;
      this.print = print;
    }
  }

  /** When others' value was put into this copy. */
  private static final class Others {
    private final long stamp;
    private final long version;

    private Others(long stamp, long version) {
      this.stamp = stamp;
      this.version = version;
    }
  }

  private final Map<String, Known> known = new HashMap<>(8);
  private Map<String, Others> others;

  void know(String name, long version, Object print) {
    if (print == null) {
      known.remove(name);
    } else {
      known.put(name, new Known(version, print));
    }
  }

  /** Compares a value by another print of the same value from now on. */
  void compareBy(String name, Object print) {
    Known stored = known.get(name);
    if (stored != null) {
      known.put(name, new Known(stored.version, print));
    }
  }

  void forgetAll() {
    known.clear();
    others = null;
  }

  void forget(String name) {
    known.remove(name);
  }

  /** What the store's value is compared by; null if it has none, as far as is known. */
  Object print(String name) {
    Known stored = known.get(name);
    return stored == null ? null : stored.print;
  }

  boolean says(Encoding encoding) {
    return Objects.equals(print(encoding.name()), encoding.print());
  }

  /** Whether the store holds or lists something under this name. */
  boolean isTold(String name) {
    Known stored = known.get(name);
    return stored != null && stored.version != 0;
  }

  /** Whether the value of this name lives on this Tomcat alone. */
  boolean staysHere(String name) {
    return Encoding.staysHere(print(name));
  }

  /** Whether the store's value is newer than what this copy knows; so is any that it does not. */
  boolean isNewer(String name, long version) {
    Known stored = known.get(name);
    return stored == null || version > stored.version;
  }

  void changedByOthers(String name, long stamp, long version) {
    if (others == null) {
      others = new HashMap<>(4);
    }
    others.put(name, new Others(stamp, version));
  }

  /**
   * The version that a change is based on whose request first read the name at a moment.
   *
   * @param name what changes
   * @param readAt stamp of the first reading
   * @param version the copy's version
   * @return the copy's version, or one before others' change that the request had not seen
   */
  long base(String name, long readAt, long version) {
    Others change = others == null ? null : others.get(name);
    return change != null && readAt < change.stamp ? change.version - 1 : version;
  }

  /** No request is left that could have read something before others changed it. */
  void forgetOthers() {
    others = null;
  }
}
