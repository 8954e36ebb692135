package remora.tomcat.codec;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which classes stored bytes may name. Asked twice, when a value is written and before a class is
 * loaded to read one, so that what is stored is also read. Immutable.
 *
 * <p>Three rules. What holds a password in its serial form is never stored. A class of {@link
 * DeniedClasses} is refused, unless the allow list names it as narrowly as that list does: an entry
 * that its neighbours match as well does not mean it. And if there is an allow list, every class
 * that the bytes name must match it, superclasses and the interfaces of dynamic proxies included:
 * the meaning of {@code sessionAttributeValueClassNameFilter} in Tomcat's own managers. Without an
 * allow list, which is the default as in Tomcat, all other classes of the application are allowed;
 * an administrator who does not trust everybody who can write to the store sets one. Arrays are
 * judged by their element class, or by their own name as Tomcat does. Values in the adapter's own
 * format name no classes, but for enums.
 */
public final class ClassFilter {

  /** Tomcat's own user, its form when serialized, and with them every subclass. */
  private static final String HOLDS_PASSWORD = "org.apache.catalina.realm.GenericPrincipal";

  /** A class that no library has, put beside a class or package to see whom an entry means. */
  private static final String NEIGHBOUR = "RemoraProbe";

  private final Pattern allowed;
  private final List<Pattern> entries;

  /**
   * Makes a filter.
   *
   * @param allowed pattern that a whole class name must match, or null to allow all but the denied
   */
  public ClassFilter(Pattern allowed) {
    this.allowed = allowed;
    this.entries = allowed == null ? new ArrayList<>() : entriesOf(allowed);
  }

  /** The alternatives that the pattern consists of, as an administrator wrote them. */
  private static List<Pattern> entriesOf(Pattern allowed) {
    List<Pattern> entries = new ArrayList<>();
    for (String entry : splitAtBars(allowed.pattern())) {
      try {
        entries.add(Pattern.compile(entry, allowed.flags()));
      } catch (PatternSyntaxException onlyAsAWhole) {
        entries.clear();
        entries.add(allowed);
        return entries;
      }
    }
    return entries;
  }

  private static List<String> splitAtBars(String pattern) {
    List<String> parts = new ArrayList<>();
    int depth = 0;
    int start = 0;
    for (int i = 0; i < pattern.length(); i++) {
      char next = pattern.charAt(i);
      if (next == '\\') {
        i++;
      } else if (next == '(' || next == '[') {
        depth++;
      } else if (next == ')' || next == ']') {
        depth--;
      } else if (next == '|' && depth == 0) {
        parts.add(pattern.substring(start, i));
        start = i + 1;
      }
    }
    parts.add(pattern.substring(start));
    return parts;
  }

  /**
   * Judges a class by its name.
   *
   * @param name as {@link Class#getName()} gives it, arrays included
   * @return null if the class is allowed, else a sentence that names it and what to do
   */
  String refusal(String name) {
    String element = elementOf(name);
    if (element.isEmpty()) {
      return null;
    }
    if (element.equals(HOLDS_PASSWORD) || element.startsWith(HOLDS_PASSWORD + "$")) {
      return "class " + element + " is never kept in a session: it holds the user's password";
    }
    String denied = DeniedClasses.entryFor(element);
    if (denied != null && !isNamed(element, denied)) {
      return "class "
          + element
          + " is never loaded from a session: it is known to run foreign code, and the manager's"
          + " allow list does not name it";
    }
    if (allowed != null
        && !allowed.matcher(element).matches()
        && !allowed.matcher(name).matches()) {
      return "class "
          + element
          + " is not on the manager's allow list \""
          + allowed
          + "\"; add it there if the application keeps it in sessions";
    }
    return null;
  }

  /** Whether an entry means this class, and not just all that lies around it. */
  private boolean isNamed(String name, String denied) {
    boolean isPackage = denied.endsWith(".");
    String inside = isPackage ? denied.substring(0, denied.length() - 1) : denied;
    String around = inside.substring(0, inside.lastIndexOf('.') + 1);
    String beside = around + NEIGHBOUR;
    String besidePackage = around + "remora.probe." + NEIGHBOUR;
    for (Pattern entry : entries) {
      if (entry.matcher(name).matches()
          && !entry.matcher(beside).matches()
          && !(isPackage && entry.matcher(besidePackage).matches())) {
        return true;
      }
    }
    return false;
  }

  /** The class that an array is made of; empty for arrays of primitives. */
  private static String elementOf(String name) {
    int dimensions = 0;
    while (dimensions < name.length() && name.charAt(dimensions) == '[') {
      dimensions++;
    }
    if (dimensions == 0) {
      return name;
    }
    boolean ofObjects = name.startsWith("L", dimensions) && name.endsWith(";");
    return ofObjects ? name.substring(dimensions + 1, name.length() - 1) : "";
  }
}
