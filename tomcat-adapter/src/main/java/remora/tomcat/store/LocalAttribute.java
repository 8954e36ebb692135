package remora.tomcat.store;

/**
 * An attribute that could not be stored and lives on one Tomcat alone: a record lists it, so that
 * nobody takes an older value for it. Immutable.
 */
public final class LocalAttribute {

  private final String name;
  private final String className;

  /**
   * Makes one.
   *
   * @param name its name, at most 256 bytes of UTF-8
   * @param className class of its value, for people; at most 256 bytes of UTF-8
   */
  public LocalAttribute(String name, String className) {
    this.name = name;
    this.className = className;
  }

  /**
   * Its name.
   *
   * @return the attribute's name
   */
  public String name() {
    return name;
  }

  /**
   * What it is, for people.
   *
   * @return the class of its value
   */
  public String className() {
    return className;
  }
}
