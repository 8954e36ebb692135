package remora.tomcat.codec;

/** Why a value cannot be stored. */
public enum Unstorable {
  /**
   * A class in it is not Serializable, or follows the rules of serialization so little that it
   * could be written but never made again.
   */
  NOT_SERIALIZABLE,

  /** It takes more bytes than the store keeps. */
  TOO_LARGE,

  /** A class in it would be refused when it is read back. */
  FILTERED,

  /** Its own code failed while it was written, or it nests deeper than the thread's stack. */
  BROKEN,

  /** Another thread changed it meanwhile; the only kind that goes away by itself. */
  CHANGING,

  /** Tomcat keeps it there for itself, and it means something on this Tomcat alone. */
  CONTAINER;

  /**
   * Whether the same value may well be stored a moment later.
   *
   * @return false for all that only the application or its configuration can mend
   */
  public boolean isTransient() {
    return this == CHANGING;
  }
}
