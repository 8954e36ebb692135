package remora.tomcat;

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

  /** Where the store keeps the notes; hidden from the application. */
  static final String ATTRIBUTE = "remora.form";

  private static final int SHOWN = 0;
  private static final int URI = 1;
  private static final int DECODED_URI = 2;
  private static final int QUERY = 3;
  private static final int FIELDS = 4;

  private FormNotes() {}

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
    }
    return fields;
  }

  private static String text(String value) {
    return value == null ? "" : value;
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
    if (fields.size() == FIELDS) {
      SavedRequest saved = new SavedRequest();
      saved.setMethod("GET");
      saved.setRequestURI((String) fields.get(URI));
      saved.setDecodedRequestURI((String) fields.get(DECODED_URI));
      String query = (String) fields.get(QUERY);
      saved.setQueryString(query.isEmpty() ? null : query);
      notes.put(Constants.FORM_REQUEST_NOTE, saved);
    }
  }
}
