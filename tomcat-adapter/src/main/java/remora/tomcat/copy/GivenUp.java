package remora.tomcat.copy;

/** Marks that were not stored: of a name, from the first to the last; a chain. Immutable. */
final class GivenUp {

  private final String name;
  private final long first;
  private final long last;
  private final GivenUp before;

  /** Marks that are given up now, and those that were before; null if none were. */
  GivenUp(String name, long first, long last, GivenUp before) {
    this.name = name;
    this.first = first;
    this.last = last;
    this.before = before;
  }

  boolean isSeenBy(Witness.Seen seen) {
    for (GivenUp one = this; one != null; one = one.before) {
      if (one.name.equals(seen.name) && one.first <= seen.mark() && seen.mark() <= one.last) {
        return true;
      }
    }
    return false;
  }
}
