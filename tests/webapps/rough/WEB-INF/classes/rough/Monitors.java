package rough;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Enumeration;
import java.util.Hashtable;
import java.util.List;
import java.util.Map;
import java.util.Vector;

/** The things that a page may synchronize on, by the names that a claim has for them. */
public final class Monitors {

  private Monitors() {}

  /**
   * Puts a value of each kind into a session.
   *
   * @param session the session
   */
  public static void fill(HttpSession session) {
    session.setAttribute("vector", new Vector<>(List.of("first")));
    session.setAttribute("hashtable", new Hashtable<>(Map.of("first", "0")));
    session.setAttribute("buffer", new StringBuffer("first"));
    session.setAttribute("list", Collections.synchronizedList(new ArrayList<>(List.of("first"))));
    session.setAttribute("guarded", new Guarded());
  }

  /**
   * Finds something to synchronize on.
   *
   * @param kind a name of it
   * @param request the request that asks
   * @return the object whose monitor to take
   * @throws ReflectiveOperationException if Tomcat hides its session elsewhere than it used to
   */
  public static Object of(String kind, HttpServletRequest request)
      throws ReflectiveOperationException {
    HttpSession session = request.getSession();
    switch (kind) {
      case "guarded":
        return ((Guarded) session.getAttribute(kind)).lock();
      case "facade":
        return session;
      case "session":
        return behind(session);
      case "manager":
        return behind(session).getClass().getMethod("getManager").invoke(behind(session));
      case "attributes":
        return attributes(behind(session));
      case "context":
        return request.getServletContext();
      case "literal":
        return "vector";
      case "name":
        return name(session);
      case "interface":
        return HttpSession.class;
      case "class":
        return behind(session).getClass();
      default:
        return session.getAttribute(kind);
    }
  }

  /**
   * Changes a value in place.
   *
   * @param value the value
   * @param text what to add
   */
  @SuppressWarnings("unchecked")
  public static void change(Object value, String text) {
    if (value instanceof Collection) {
      ((Collection<Object>) value).add(text);
    } else if (value instanceof Map) {
      ((Map<Object, Object>) value).put(text, text);
    } else if (value instanceof StringBuffer) {
      ((StringBuffer) value).append(text);
    } else if (value instanceof Guarded) {
      ((Guarded) value).add();
    }
  }

  private static Object behind(HttpSession facade) throws ReflectiveOperationException {
    return field(facade, facade.getClass(), "session");
  }

  private static Object attributes(Object session) throws ReflectiveOperationException {
    Class<?> standard = session.getClass();
    while (!standard.getSimpleName().equals("StandardSession")) {
      standard = standard.getSuperclass();
    }
    return field(session, standard, "attributes");
  }

  private static Object field(Object object, Class<?> declaring, String name)
      throws ReflectiveOperationException {
    Field field = declaring.getDeclaredField(name);
    field.setAccessible(true);
    return field.get(object);
  }

  private static Object name(HttpSession session) {
    Enumeration<String> names = session.getAttributeNames();
    String name = names.nextElement();
    while (!name.equals("vector")) {
      name = names.nextElement();
    }
    return name;
  }
}
