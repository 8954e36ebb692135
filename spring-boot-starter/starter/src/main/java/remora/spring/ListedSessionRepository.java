package remora.spring;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.springframework.session.FindByIndexNameSessionRepository;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;

/**
 * Spring Session's repository over the store's labels: finds sessions by the name of their user or
 * by their session at an OpenID provider, and deletes them. It makes and saves none; Tomcat does.
 * Who saves one that is marked as expired means its end.
 */
final class ListedSessionRepository implements FindByIndexNameSessionRepository<ListedSession> {

  private static final String NOT_HERE =
      "sessions are made and changed through the servlet API; here they are found and deleted";

  private final Supplier<SessionDirectory> sessions;

  /**
   * A repository.
   *
   * @param sessions gives the store's own, once the server runs
   */
  ListedSessionRepository(Supplier<SessionDirectory> sessions) {
    this.sessions = sessions;
  }

  @Override
  public Map<String, ListedSession> findByIndexNameAndIndexValue(String index, String value) {
    Map<String, ListedSession> found = new LinkedHashMap<>();
    for (SessionEntry entry : labelled(index, value)) {
      found.put(entry.key().hashText(), new ListedSession(entry));
    }
    return found;
  }

  private List<SessionEntry> labelled(String index, String value) {
    if (PRINCIPAL_NAME_INDEX_NAME.equals(index)) {
      return sessions.get().labelled(SessionDirectory.PRINCIPAL, value);
    }
    return SessionDirectory.OIDC_SID.equals(index)
        ? sessions.get().labelled(index, value)
        : List.of();
  }

  @Override
  public ListedSession findById(String id) {
    SessionEntry entry = SessionDirectory.isHash(id) ? sessions.get().find(id) : null;
    return entry == null ? null : new ListedSession(entry);
  }

  @Override
  public void deleteById(String id) {
    if (SessionDirectory.isHash(id)) {
      sessions.get().end(id);
    }
  }

  @Override
  public ListedSession createSession() {
    throw new UnsupportedOperationException(NOT_HERE);
  }

  @Override
  public void save(ListedSession session) {
    if (!session.isExpired()) {
      throw new UnsupportedOperationException(NOT_HERE);
    }
    deleteById(session.getId());
  }
}
