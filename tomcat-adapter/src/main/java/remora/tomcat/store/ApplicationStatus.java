package remora.tomcat.store;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;

/** How one application fares on one Tomcat. Immutable. */
public final class ApplicationStatus {

  /** More class names are left out. */
  public static final int CLASSES_MAX = 32;

  private final int busy;
  private final int inFlight;
  private final long local;
  private final long undecodable;
  private final long refused;
  private final long changedInPlace;
  private final List<String> classes;

  /**
   * Makes a status.
   *
   * @param busy threads that serve its requests now
   * @param inFlight its requests in flight, those without a thread included
   * @param local attributes that stay on this Tomcat
   * @param undecodable attributes whose bytes could not be decoded here
   * @param refused saves that were refused
   * @param changedInPlace values that the application changed in place
   * @param classes of the values that these counts are about; the first {@value #CLASSES_MAX} count
   */
  public ApplicationStatus(
      int busy,
      int inFlight,
      long local,
      long undecodable,
      long refused,
      long changedInPlace,
      Collection<String> classes) {
    this.busy = busy;
    this.inFlight = inFlight;
    this.local = local;
    this.undecodable = undecodable;
    this.refused = refused;
    this.changedInPlace = changedInPlace;
    List<String> first = new ArrayList<>(classes);
    this.classes =
        Collections.unmodifiableList(first.subList(0, Math.min(first.size(), CLASSES_MAX)));
  }

  /**
   * Threads that serve its requests now.
   *
   * @return threads
   */
  public int busy() {
    return busy;
  }

  /**
   * Its requests in flight.
   *
   * @return requests
   */
  public int inFlight() {
    return inFlight;
  }

  /**
   * Attributes that stay on this Tomcat.
   *
   * @return a count since the start
   */
  public long local() {
    return local;
  }

  /**
   * Attributes whose bytes could not be decoded here.
   *
   * @return a count since the start
   */
  public long undecodable() {
    return undecodable;
  }

  /**
   * Saves that were refused.
   *
   * @return a count since the start
   */
  public long refused() {
    return refused;
  }

  /**
   * Values that the application changed in place.
   *
   * @return a count since the start
   */
  public long changedInPlace() {
    return changedInPlace;
  }

  /**
   * Classes of the values that these counts are about.
   *
   * @return at most {@value #CLASSES_MAX} names
   */
  public List<String> classes() {
    return classes;
  }
}
