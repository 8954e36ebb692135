package program;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** The values that a program can name, as {@code kind} or {@code kind:argument}. */
final class Kinds {

  private static final Map<String, Function<String, Object>> BY_NAME = new TreeMap<>();

  static {
    PlainKinds.add(BY_NAME);
    CollectionKinds.add(BY_NAME);
    OwnKinds.add(BY_NAME);
    FoundKinds.add(BY_NAME);
  }

  private Kinds() {}

  static Object make(String token) {
    int colon = token.indexOf(':');
    String kind = colon < 0 ? token : token.substring(0, colon);
    Function<String, Object> maker = BY_NAME.get(kind);
    if (maker == null) {
      throw new Misspelled("no kind of value is called " + kind);
    }
    return maker.apply(colon < 0 ? "" : token.substring(colon + 1));
  }
}
