package remora.tomcat.store;

/** That a Tomcat leaves has been said to a store; what has come of it can be waited for. */
public interface Farewell {

  /**
   * Waits for the leader's word.
   *
   * @param millisMax how long at most; where it is not above 0, what has come until now counts
   * @return whether the Tomcat is out; false, and at once, where no node leads
   */
  boolean isHeard(long millisMax);
}
