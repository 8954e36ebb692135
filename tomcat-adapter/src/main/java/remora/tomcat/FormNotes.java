package remora.tomcat;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.catalina.authenticator.Constants;
import org.apache.catalina.authenticator.SavedRequest;

/**
 * What a FORM login in progress keeps beside the session, as one attribute: that the login page was
 * shown under this id, and where the user wanted to go.
 *
 * <p>So a user whose Tomcat dies between the login page and its submission logs in on another one.
 * The wanted page is asked for again with GET: method, body, headers and cookies of the request
 * that met the login page are not kept (Tomcat keeps them in types that differ between its lines).
 */
final class FormNotes {

  private static final int SHOWN = 0;
  private static final int URI = 1;
  private static final int DECODED_URI = 2;
  private static final int QUERY = 3;
  private static final int IDLE = 4;

  /** Records of earlier adapters have no idle limit. */
  private static final int FIELDS_MIN = 4;

  /** The idle limit to go back to after the login; younger than Tomcat 9.0 and 10.1 themselves. */
  private static final MethodHandle GET_IDLE =
      find("getOriginalMaxInactiveInterval", MethodType.methodType(int.class));

  private static final MethodHandle SET_IDLE =
      find("setOriginalMaxInactiveInterval", MethodType.methodType(void.class, int.class));

  private FormNotes() {}

  private static MethodHandle find(String name, MethodType type) {
    try {
      return MethodHandles.publicLookup().findVirtual(SavedRequest.class, name, type);
    } catch (ReflectiveOperationException olderTomcat) {
      return null; // which does not shorten the limit of a login in progress either
    }
  }

  static boolean concerns(String note) {
    return Constants.SESSION_ID_NOTE.equals(note) || Constants.FORM_REQUEST_NOTE.equals(note);
  }

  /**
   * The notes as an attribute.
   *
   * @param notes the session's notes
   * @return a list of strings, or null if no login is in progress
   */
  static Object describe(Map<String, Object> notes) {
    Object shown = notes.get(Constants.SESSION_ID_NOTE);
    Object request = notes.get(Constants.FORM_REQUEST_NOTE);
    if (shown == null && !(request instanceof SavedRequest)) {
      return null;
    }
    List<String> fields = new ArrayList<>();
    fields.add(shown == null ? "" : "shown");
    if (request instanceof SavedRequest) {
      SavedRequest saved = (SavedRequest) request;
      fields.add(text(saved.getRequestURI()));
      fields.add(text(saved.getDecodedRequestURI()));
      fields.add(text(saved.getQueryString()));
      fields.add(Integer.toString(idleSeconds(saved)));
    }
    return fields;
  }

  private static int idleSeconds(SavedRequest saved) {
    try {
      return GET_IDLE == null ? 0 : (int) GET_IDLE.invokeExact(saved);
    } catch (Throwable impossible) {
      throw new IllegalStateException("a getter of Tomcat's must not fail", impossible);
    }
  }

  private static void setIdleSeconds(SavedRequest saved, String seconds) {
    try {
      if (SET_IDLE != null) {
        SET_IDLE.invokeExact(saved, Integer.parseInt(seconds));
      }
    } catch (Throwable impossible) {
      throw new IllegalStateException("a setter of Tomcat's must not fail", impossible);
    }
  }

  private static String text(String value) {
    return value == null ? "" : value;
  }

  /**
   * Takes the notes away.
   *
   * @param notes the session's notes
   */
  static void forget(Map<String, Object> notes) {
    notes.remove(Constants.SESSION_ID_NOTE);
    notes.remove(Constants.FORM_REQUEST_NOTE);
  }

  /**
   * Puts the notes back.
   *
   * @param described what {@link #describe} made, decoded
   * @param notes the session's notes
   * @param id the session's id here, which the login page was shown under
   */
  static void restore(Object described, Map<String, Object> notes, String id) {
    if (!(described instanceof List)) {
      return;
    }
    List<?> fields = (List<?>) described;
    if ("shown".equals(fields.get(SHOWN)) && id != null) {
      notes.put(Constants.SESSION_ID_NOTE, id);
    }
    if (fields.size() >= FIELDS_MIN) {
      SavedRequest saved = new SavedRequest();
      saved.setMethod("GET");
      saved.setRequestURI((String) fields.get(URI));
      saved.setDecodedRequestURI((String) fields.get(DECODED_URI));
      String query = (String) fields.get(QUERY);
      saved.setQueryString(query.isEmpty() ? null : query);
      if (fields.size() > IDLE) {
        setIdleSeconds(saved, (String) fields.get(IDLE));
      }
      notes.put(Constants.FORM_REQUEST_NOTE, saved);
    }
  }
}
