package remora.tomcat;

import java.util.concurrent.ConcurrentHashMap;

/**
 * A session's attributes, where Tomcat keeps them. Whatever Tomcat puts or takes here on the
 * application's behalf is marked just before it can be seen and again just after, before any
 * listener runs: an encoding that begins in between finds a younger mark and is made again.
 */
final class SessionAttributes extends ConcurrentHashMap<String, Object> {

  private static final long serialVersionUID = 1L;

  private final transient RemoraSession session;

  SessionAttributes(RemoraSession session) {
    super(8);
    this.session = session;
  }

  @Override
  public Object put(String name, Object value) {
    session.changes(name);
    Object before = super.put(name, value);
    session.changes(name);
    return before;
  }

  @Override
  public Object remove(Object name) {
    session.changes((String) name);
    Object before = super.remove(name);
    session.changes((String) name);
    return before;
  }

  /** Puts the store's value; nobody has changed anything. */
  void fill(String name, Object value) {
    super.put(name, value);
  }

  /** Takes a value that the store does not have. */
  void drop(String name) {
    super.remove(name);
  }
}
