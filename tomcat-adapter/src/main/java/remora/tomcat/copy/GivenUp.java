package remora.tomcat.copy;

/** Marks of a name that were not stored, from the first to the last of them. Immutable. */
final class GivenUp {

  private final String name;
  private final long first;
  private final long last;

  GivenUp(String name, long first, long last) {
    this.name = name;
    this.first = first;
    this.last = last;
  }

  boolean isSeenBy(Witness.Seen seen) {
    return name.equals(seen.name) && first <= seen.mark() && seen.mark() <= last;
  }
}
