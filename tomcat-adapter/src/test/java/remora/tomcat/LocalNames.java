package remora.tomcat;

import java.util.List;
import remora.tomcat.store.SessionChange;

/** What a save lists as not stored. */
final class LocalNames {

  private LocalNames() {}

  /** Names and classes, as one text. */
  static String of(StoreCalls.Call save) throws ReflectiveOperationException {
    SessionChange change = save.argument(SessionChange.class);
    StringBuilder text = new StringBuilder();
    for (Object local : (List<?>) SessionChange.class.getMethod("local").invoke(change)) {
      text.append(local.getClass().getMethod("name").invoke(local));
      text.append(' ');
      text.append(local.getClass().getMethod("className").invoke(local));
      text.append(';');
    }
    return text.toString();
  }
}
