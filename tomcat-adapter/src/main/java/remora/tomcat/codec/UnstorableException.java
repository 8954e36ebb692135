package remora.tomcat.codec;

/** A value that cannot be stored: why, because of which class, and a sentence for people. */
public final class UnstorableException extends RuntimeException {

  private static final long serialVersionUID = 1L;

  /** Why. */
  private final Unstorable kind;

  /** The culprit's name. */
  private final String className;

  /**
   * Says what cannot be stored.
   *
   * @param kind why
   * @param className the class that is to blame, as {@link Class#getName()} gives it
   * @param message a sentence for the application's developer, which names the class
   * @param cause what was caught, or null
   */
  public UnstorableException(Unstorable kind, String className, String message, Throwable cause) {
    super(message, cause);
    this.kind = kind;
    this.className = className;
  }

  /**
   * Why the value cannot be stored.
   *
   * @return the kind
   */
  public Unstorable kind() {
    return kind;
  }

  /**
   * The class that is to blame: of the value itself, or of something deep inside it.
   *
   * @return its name; not null
   */
  public String className() {
    return className;
  }
}
