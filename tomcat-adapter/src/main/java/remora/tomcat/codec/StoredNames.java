package remora.tomcat.codec;

/**
 * Attribute names as the store has them. One to one: every name that an application can think of is
 * kept apart from every other and from the adapter's own.
 *
 * <p>Names that begin with U+0000 are ours, and an application's own such name is escaped. So is
 * one with half a surrogate pair, which UTF-8 cannot hold: on the wire it would turn into a
 * question mark, and two names into one. All other names are stored as they are.
 */
public final class StoredNames {

  private static final char MARK = '\0';

  /** How an escaped name of an application begins; one of ours has another second character. */
  private static final String ESCAPED = "\0\0";

  private static final int HEX = 16;

  private static final int HEX_DIGITS = 4;

  private StoredNames() {}

  /**
   * Where the adapter keeps something of its own beside the attributes.
   *
   * @param word what it is; not empty
   * @return a stored name that no application's attribute has
   */
  public static String hidden(String word) {
    return MARK + word;
  }

  /**
   * Whether a stored name is the adapter's own.
   *
   * @param stored a name as the store has it
   * @return true if no application may see it
   */
  public static boolean isHidden(String stored) {
    return !stored.isEmpty() && stored.charAt(0) == MARK && !stored.startsWith(ESCAPED);
  }

  /**
   * How an application's attribute is called in the store.
   *
   * @param name any name
   * @return the stored name, never one that {@link #isHidden}
   */
  public static String ofApplication(String name) {
    boolean plain = name.isEmpty() || name.charAt(0) != MARK;
    for (int i = 0; plain && i < name.length(); i++) {
      plain = !Character.isSurrogate(name.charAt(i));
    }
    return plain || !needsEscape(name) ? name : escape(name);
  }

  private static boolean needsEscape(String name) {
    return name.charAt(0) == MARK || name.codePoints().anyMatch(StoredNames::isHalf);
  }

  private static boolean isHalf(int codePoint) {
    return codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
  }

  private static String escape(String name) {
    StringBuilder stored = new StringBuilder(ESCAPED);
    name.codePoints()
        .forEach(
            codePoint -> {
              if (isHalf(codePoint)) {
                stored.append(MARK).append(Integer.toHexString(codePoint));
              } else if (codePoint == MARK) {
                stored.append(MARK).append(MARK);
              } else {
                stored.appendCodePoint(codePoint);
              }
            });
    return stored.toString();
  }

  /**
   * How the application calls what the store has.
   *
   * @param stored a name that is not {@link #isHidden}
   * @return the application's name; the stored one if nothing was ever stored under it
   */
  public static String toApplication(String stored) {
    if (!stored.startsWith(ESCAPED)) {
      return stored;
    }
    String name = unescape(stored);
    return ofApplication(name).equals(stored) ? name : stored;
  }

  private static String unescape(String stored) {
    StringBuilder name = new StringBuilder();
    int at = ESCAPED.length();
    while (at < stored.length()) {
      char next = stored.charAt(at++);
      if (next != MARK) {
        name.append(next);
      } else if (at < stored.length() && stored.charAt(at) == MARK) {
        name.append(MARK);
        at++;
      } else {
        int end = Math.min(at + HEX_DIGITS, stored.length());
        name.append((char) number(stored.substring(at, end)));
        at = end;
      }
    }
    return name.toString();
  }

  /** What nobody has escaped so is found out by escaping it again. */
  private static int number(String digits) {
    try {
      return Integer.parseInt(digits, HEX);
    } catch (NumberFormatException notOurs) {
      return MARK;
    }
  }
}
