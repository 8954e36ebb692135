package remora.spring;

import java.time.Instant;
import java.util.List;
import java.util.function.Supplier;
import org.springframework.boot.actuate.endpoint.annotation.DeleteOperation;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;

/**
 * The actuator's {@code sessions}, in the form of Boot's own: those of a user in all processes, one
 * of them, and its end. Ids are hashes, which open nothing.
 */
@Endpoint(id = "sessions")
public final class StoredSessionsEndpoint {

  private final Supplier<SessionDirectory> sessions;

  /**
   * An endpoint.
   *
   * @param sessions gives the store's own, once the server runs
   */
  StoredSessionsEndpoint(Supplier<SessionDirectory> sessions) {
    this.sessions = sessions;
  }

  /**
   * The sessions of a user.
   *
   * @param username the name of the login
   * @return all of them
   */
  @ReadOperation
  public Told sessionsForUsername(String username) {
    return new Told(
        sessions.get().labelled(SessionDirectory.PRINCIPAL, username).stream()
            .map(ToldSession::of)
            .toList());
  }

  /**
   * One session.
   *
   * @param sessionId its hash
   * @return null, which is a 404, if there is none
   */
  @ReadOperation
  public ToldSession session(@Selector String sessionId) {
    SessionEntry entry = SessionDirectory.isHash(sessionId) ? sessions.get().find(sessionId) : null;
    return entry == null ? null : ToldSession.of(entry);
  }

  /**
   * Ends one session.
   *
   * @param sessionId its hash
   */
  @DeleteOperation
  public void deleteSession(@Selector String sessionId) {
    if (SessionDirectory.isHash(sessionId)) {
      sessions.get().end(sessionId);
    }
  }

  /**
   * Some sessions.
   *
   * @param sessions them
   */
  public record Told(List<ToldSession> sessions) {}

  /**
   * A session.
   *
   * @param id its hash
   * @param principal whose it is; empty for nobody's
   * @param node which process has it; empty for none
   * @param creationTime when it was created
   * @param lastAccessedTime when it was used last
   * @param expiresInSeconds how long it lives if nobody uses it; negative for ever
   */
  public record ToldSession(
      String id,
      String principal,
      String node,
      Instant creationTime,
      Instant lastAccessedTime,
      long expiresInSeconds) {

    static ToldSession of(SessionEntry entry) {
      return new ToldSession(
          entry.key().hashText(),
          entry.principal(),
          entry.node(),
          Instant.ofEpochMilli(entry.createdMillis()),
          Instant.ofEpochMilli(entry.lastAccessMillis()),
          entry.expiresInSeconds());
    }
  }
}
