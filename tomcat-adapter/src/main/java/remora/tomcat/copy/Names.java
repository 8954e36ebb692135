package remora.tomcat.copy;

/**
 * Names of what belongs to a session beside the application's attributes. All begin with NUL; an
 * attribute of the application's that does so itself is escaped before it comes here, so that no
 * name means two things.
 */
public final class Names {

  /** The container login. No attribute: the record has a field for it. */
  public static final String LOGIN = "\u0000login";

  /** The idle limit. No attribute: the record has a field for it. */
  public static final String IDLE = "\u0000idle";

  /** What a FORM login in progress keeps; stored as an attribute. */
  public static final String FORM = "\u0000form";

  /** The realm's own principal beside the login, where it can be stored; an attribute. */
  public static final String PRINCIPAL = "\u0000principal";

  private Names() {}
}
