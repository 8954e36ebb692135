package remora.tomcat.copy;

import java.util.ArrayList;
import java.util.List;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionLimit;

/** What one save tells the store: encodings, with what they are based on. Immutable. */
public final class Draft {

  private final long epoch;
  private final long base;
  private final long sinceNanos;
  private final boolean late;
  private final List<Encoding> encodings;

  Draft(long epoch, long base, long sinceNanos, boolean late, List<Encoding> encodings) {
    this.epoch = epoch;
    this.base = base;
    this.sinceNanos = sinceNanos;
    this.late = late;
    this.encodings = encodings;
  }

  /**
   * Whether it makes the record.
   *
   * @return true for the first save of a session
   */
  public boolean creates() {
    return epoch == 0;
  }

  /**
   * Whether it was made by requests that were given the session before this Tomcat lost it.
   *
   * @return true if it leaves the session to its new owner
   */
  public boolean isLate() {
    return late;
  }

  /**
   * When the oldest request that it speaks for began.
   *
   * @return monotonic time
   */
  public long sinceNanos() {
    return sinceNanos;
  }

  /**
   * What it is based on.
   *
   * @return a version
   */
  public long base() {
    return base;
  }

  /**
   * Whether it changes nothing but attributes, which alone may be written over others' changes.
   *
   * @return false if a login or an idle limit is among it
   */
  public boolean isOnlyAttributes() {
    for (Encoding encoding : encodings) {
      if (encoding.kind() == Encoding.Kind.LOGIN || encoding.kind() == Encoding.Kind.IDLE) {
        return false;
      }
    }
    return true;
  }

  List<Encoding> encodings() {
    return encodings;
  }

  /**
   * The names that it tells about, for people.
   *
   * @return names of attributes
   */
  public List<String> names() {
    List<String> names = new ArrayList<>();
    for (Encoding encoding : encodings) {
      names.add(encoding.name());
    }
    return names;
  }

  /**
   * What the store is asked.
   *
   * @param onto the version that it is based on; with a create that of the tombstone, or 0
   * @param limit how many sessions a user may have who logs in with it, or null
   * @param createdMillis when the session was made, milliseconds since 1970
   * @param lastAccessMillis when it was last used, milliseconds since 1970
   * @return the change
   */
  public SessionChange change(
      long onto, SessionLimit limit, long createdMillis, long lastAccessMillis) {
    SessionChange.Builder change = SessionChange.of(epoch, onto);
    for (Encoding encoding : encodings) {
      switch (encoding.kind()) {
        case VALUE:
          change.set(encoding.name(), encoding.value().type(), encoding.value().bytes());
          break;
        case LOCAL:
          change.local(encoding.name(), encoding.className());
          break;
        case LOGIN:
          change.login(encoding.login()).limit(limit);
          break;
        case IDLE:
          change.maxIdleSeconds(encoding.idle());
          break;
        default:
          change.remove(encoding.name());
          break;
      }
    }
    return change.late(late).times(createdMillis, lastAccessMillis).build();
  }
}
