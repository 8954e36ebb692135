package remora.spring;

import org.springframework.stereotype.Component;
import org.springframework.web.context.annotation.SessionScope;

/**
 * How many pages a user opened: a session-scoped bean that cannot be serialized, as beans are that
 * hold a helper.
 */
@Component
@SessionScope
public class Trail {

  private final Object lock = new Object();
  private int pages;

  /** Counts one more page and says how many there were. */
  public int next() {
    synchronized (lock) {
      pages++;
      return pages;
    }
  }
}
