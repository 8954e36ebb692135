package remora.spring;

import java.util.Date;
import java.util.List;
import java.util.function.Supplier;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.session.SessionInformation;
import org.springframework.security.core.session.SessionRegistry;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;

/**
 * Spring Security's list of sessions, in all processes, by the label that the session manager gives
 * to every login. Nothing is registered here: a login is in the list as soon as it is stored, and a
 * session that has ended is in it no more.
 *
 * <p>Principals are told by name, and sessions by the hash of their id. Of an id that a browser
 * sends nothing is known, as a session that was ended is found by no request.
 */
final class StoredSessionRegistry implements SessionRegistry {

  private final Supplier<SessionDirectory> sessions;

  /**
   * A list.
   *
   * @param sessions gives the store's own, once the server runs
   */
  StoredSessionRegistry(Supplier<SessionDirectory> sessions) {
    this.sessions = sessions;
  }

  @Override
  public List<Object> getAllPrincipals() {
    return sessions.get().all().stream()
        .map(SessionEntry::principal)
        .filter(name -> !name.isEmpty())
        .distinct()
        .map(Object.class::cast)
        .toList();
  }

  @Override
  public List<SessionInformation> getAllSessions(Object principal, boolean includeExpired) {
    String name = UsernamePasswordAuthenticationToken.unauthenticated(principal, null).getName();
    return sessions.get().labelled(SessionDirectory.PRINCIPAL, name).stream()
        .map(entry -> information(principal, entry))
        .toList();
  }

  @Override
  public SessionInformation getSessionInformation(String sessionId) {
    if (!SessionDirectory.isHash(sessionId)) {
      return null;
    }
    SessionEntry entry = sessions.get().find(sessionId);
    return entry == null || entry.principal().isEmpty()
        ? null
        : information(entry.principal(), entry);
  }

  private SessionInformation information(Object principal, SessionEntry entry) {
    return new StoredSession(principal, entry, sessions);
  }

  @Override
  public void refreshLastRequest(String sessionId) {}

  @Override
  public void registerNewSession(String sessionId, Object principal) {}

  /** Ends the session, as it is in the list for as long as it lives. */
  @Override
  public void removeSessionInformation(String sessionId) {
    if (SessionDirectory.isHash(sessionId)) {
      sessions.get().end(sessionId);
    }
  }

  /** A session of the list, which ends in all processes when it is said to expire. */
  private static final class StoredSession extends SessionInformation {

    private static final long serialVersionUID = 1L;

    private final transient Supplier<SessionDirectory> sessions;

    private StoredSession(
        Object principal, SessionEntry entry, Supplier<SessionDirectory> sessions) {
      super(principal, entry.key().hashText(), new Date(entry.lastAccessMillis()));
      this.sessions = sessions;
    }

    @Override
    public void expireNow() {
      sessions.get().end(getSessionId());
      super.expireNow();
    }
  }
}
