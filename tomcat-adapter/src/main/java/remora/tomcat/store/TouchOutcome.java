package remora.tomcat.store;

import java.util.Collections;
import java.util.List;

/** What a touch found. Immutable. */
public final class TouchOutcome {

  private final List<Touch> fenced;
  private final List<Touch> gone;

  /**
   * Makes an outcome.
   *
   * @param fenced touches of sessions that somebody else owns
   * @param gone touches of sessions that are gone
   */
  public TouchOutcome(List<Touch> fenced, List<Touch> gone) {
    this.fenced = Collections.unmodifiableList(fenced);
    this.gone = Collections.unmodifiableList(gone);
  }

  /**
   * Sessions that somebody else owns.
   *
   * @return their touches as given
   */
  public List<Touch> fenced() {
    return fenced;
  }

  /**
   * Sessions that are gone.
   *
   * @return their touches as given
   */
  public List<Touch> gone() {
    return gone;
  }
}
