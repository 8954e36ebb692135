package remora.tomcat.codec;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Session attributes that Tomcat sets for itself. They mean something on the Tomcat that set them
 * alone, and one holds the session id in clear: none is ever stored.
 *
 * <p>Each by its exact name and class, so that nothing of an application's is meant. Nonces of the
 * CSRF filters are the application's state, and are stored.
 */
public final class ContainerOwned {

  /** Attribute name to class name and to the source file of Tomcat that sets it. */
  private static final Map<String, String[]> OWNED = new HashMap<>();

  static {
    own(
        "org.apache.tomcat.websocket.server.WsHttpSessionBindingListener",
        "org.apache.tomcat.websocket.server.WsHttpSessionBindingListener",
        "org/apache/tomcat/websocket/server/WsServerContainer.java");
    own(
        "org.apache.catalina.valves.CrawlerSessionManagerValve",
        "org.apache.catalina.valves.CrawlerSessionManagerValve$CrawlerHttpSessionBindingListener",
        "org/apache/catalina/valves/CrawlerSessionManagerValve.java");
    own(
        "javax.security.auth.subject",
        "javax.security.auth.Subject",
        "org/apache/catalina/connector/Request.java");
  }

  private ContainerOwned() {}

  private static void own(String name, String className, String source) {
    OWNED.put(name, new String[] {className, source});
  }

  /** The names that Tomcat uses; an application's value under one of them is the application's. */
  static Set<String> names() {
    return OWNED.keySet();
  }

  /**
   * Whether Tomcat keeps this attribute for itself.
   *
   * @param name the attribute's name
   * @param value its value, not null
   * @return true if it must stay on this Tomcat
   */
  public static boolean contains(String name, Object value) {
    String[] owned = OWNED.get(name);
    return owned != null && owned[0].equals(value.getClass().getName());
  }

  /**
   * Refuses an attribute of Tomcat's own.
   *
   * @param name the attribute's name
   * @param value its value, not null
   * @throws UnstorableException of kind {@link Unstorable#CONTAINER} if it must stay here
   */
  public static void check(String name, Object value) {
    if (contains(name, value)) {
      String type = value.getClass().getName();
      String sentence =
          type + " stays on this Tomcat, which set it for itself (" + OWNED.get(name)[1] + ")";
      throw new UnstorableException(Unstorable.CONTAINER, type, sentence, null);
    }
  }
}
