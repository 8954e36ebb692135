package remora.spring;

import jakarta.servlet.http.HttpSession;
import java.util.Date;
import java.util.List;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.springframework.security.authentication.UsernamePasswordAuthenticationToken;
import org.springframework.security.core.session.SessionInformation;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.context.request.ServletRequestAttributes;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;

/**
 * Spring Security's list of sessions, in all processes, by the label that the session manager gives
 * to every login. Nothing is registered here: a login is in the list as soon as it is stored, and a
 * session that has ended is in it no more.
 *
 * <p>Principals are told by name, and sessions by the hash of their id. The one exception is the
 * session of the current request among its user's: Spring Security knows that one by comparing ids,
 * so as not to refuse or end it when its user logs in once more. Of an id that a browser sends
 * nothing is known, as a session that was ended is found by no request.
 */
final class StoredSessionRegistry implements SessionRegistry {

  private final Supplier<SessionDirectory> sessions;
  private final UnaryOperator<String> hash;

  /**
   * A list.
   *
   * @param sessions gives the store's own, once the server runs
   * @param hash gives the hash of an id
   */
  StoredSessionRegistry(Supplier<SessionDirectory> sessions, UnaryOperator<String> hash) {
    this.sessions = sessions;
    this.hash = hash;
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
    String current = currentId();
    String currentHash = current == null ? null : hash.apply(current);
    return sessions.get().labelled(SessionDirectory.PRINCIPAL, name).stream()
        .map(
            entry -> {
              String known = entry.key().hashText();
              return information(principal, entry, known.equals(currentHash) ? current : known);
            })
        .toList();
  }

  /** The id of the session that the request of this thread has; null for none. */
  private static String currentId() {
    if (RequestContextHolder.getRequestAttributes() instanceof ServletRequestAttributes request) {
      HttpSession session = request.getRequest().getSession(false);
      return session == null ? null : session.getId();
    }
    return null;
  }

  @Override
  public SessionInformation getSessionInformation(String sessionId) {
    if (!SessionDirectory.isHash(sessionId)) {
      return null;
    }
    SessionEntry entry = sessions.get().find(sessionId);
    return entry == null || entry.principal().isEmpty()
        ? null
        : information(entry.principal(), entry, sessionId);
  }

  private SessionInformation information(Object principal, SessionEntry entry, String id) {
    return new StoredSession(principal, entry, id, sessions);
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
    private final String hash;

    private StoredSession(
        Object principal, SessionEntry entry, String id, Supplier<SessionDirectory> sessions) {
      super(principal, id, new Date(entry.lastAccessMillis()));
      this.sessions = sessions;
      this.hash = entry.key().hashText();
    }

    @Override
    public void expireNow() {
      sessions.get().end(hash);
      super.expireNow();
    }
  }
}
