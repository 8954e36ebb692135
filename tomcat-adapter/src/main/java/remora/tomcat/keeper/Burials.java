package remora.tomcat.keeper;

import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Asks the store whose it is to call the listeners of a session that has expired: of all who ask,
 * one. So they are called once at most, whoever else finds the session gone or is offered it.
 */
final class Burials {

  private static final Log log = LogFactory.getLog(Burials.class);

  private final SessionStore store;
  private final String application;

  Burials(SessionStore store, String application) {
    this.store = store;
    this.application = application;
  }

  /**
   * Buries a session that has expired.
   *
   * @param key which
   * @param createdVersion names the life of the key that has expired
   * @return whether its listeners are to be called here
   */
  boolean isFirst(SessionKey key, long createdVersion) {
    try {
      return store.bury(store.nextSerial(), key, createdVersion);
    } catch (StoreUnavailableException silent) {
      if (silent.effect() != StoreUnavailableException.Effect.NONE) {
        log.warn(
            application
                + ", session "
                + key.shortHash()
                + ": it has expired, and perhaps no Tomcat calls its listeners: "
                + silent.getMessage());
      }
      return false;
    }
  }
}
