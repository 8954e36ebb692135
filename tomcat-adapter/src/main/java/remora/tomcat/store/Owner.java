package remora.tomcat.store;

/** Who holds a session. Immutable. */
public final class Owner {

  private final String node;
  private final long instance;

  /**
   * Makes an owner.
   *
   * @param node route or node name, for people
   * @param instance 64 random bits of the process that decides; 0 for nobody
   */
  public Owner(String node, long instance) {
    this.node = node;
    this.instance = instance;
  }

  /**
   * The name for people.
   *
   * @return route or node name
   */
  public String node() {
    return node;
  }

  /**
   * The process that decides.
   *
   * @return its instance; 0 when the session was released
   */
  public long instance() {
    return instance;
  }

  @Override
  public String toString() {
    return instance == 0 ? "nobody" : node + "/" + Long.toHexString(instance);
  }
}
