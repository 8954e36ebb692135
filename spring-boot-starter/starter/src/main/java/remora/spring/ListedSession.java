package remora.spring;

import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.springframework.session.FindByIndexNameSessionRepository;
import org.springframework.session.Session;
import remora.tomcat.store.SessionEntry;

/**
 * A session as the store lists it, in the words of Spring Session. Its id is the hash of the real
 * one; of its attributes only whose it is is told; how long it may be unused is told as what is
 * left of that. It changes in one way alone: it can be marked as one that is to end, as Spring
 * Session's own list for Spring Security marks it before it is saved. For one thread.
 */
final class ListedSession implements Session {

  /** How long one that never expires is said to live. */
  private static final Duration FOR_EVER = Duration.ofSeconds(-1);

  private static final String FIXED = "a listed session cannot be changed";

  /** By which attribute Spring Session's list for Spring Security says that a session is to end. */
  private static final String EXPIRED =
      "org.springframework.session.security.SpringSessionBackedSessionInformation.EXPIRED";

  private final SessionEntry entry;
  private boolean expired;

  ListedSession(SessionEntry entry) {
    this.entry = entry;
  }

  @Override
  public String getId() {
    return entry.key().hashText();
  }

  @Override
  @SuppressWarnings("unchecked")
  public <T> T getAttribute(String name) {
    return getAttributeNames().contains(name) ? (T) entry.principal() : null;
  }

  @Override
  public Set<String> getAttributeNames() {
    return entry.principal().isEmpty()
        ? Set.of()
        : Set.of(FindByIndexNameSessionRepository.PRINCIPAL_NAME_INDEX_NAME);
  }

  @Override
  public Instant getCreationTime() {
    return Instant.ofEpochMilli(entry.createdMillis());
  }

  @Override
  public Instant getLastAccessedTime() {
    return Instant.ofEpochMilli(entry.lastAccessMillis());
  }

  @Override
  public Duration getMaxInactiveInterval() {
    return entry.expiresInSeconds() < 0 ? FOR_EVER : Duration.ofSeconds(entry.expiresInSeconds());
  }

  @Override
  public boolean isExpired() {
    return expired;
  }

  @Override
  public String changeSessionId() {
    throw new UnsupportedOperationException(FIXED);
  }

  @Override
  public void setAttribute(String attributeName, Object attributeValue) {
    if (!EXPIRED.equals(attributeName)) {
      throw new UnsupportedOperationException(FIXED);
    }
    expired = Boolean.TRUE.equals(attributeValue);
  }

  @Override
  public void removeAttribute(String attributeName) {
    throw new UnsupportedOperationException(FIXED);
  }

  @Override
  public void setLastAccessedTime(Instant lastAccessedTime) {
    throw new UnsupportedOperationException(FIXED);
  }

  @Override
  public void setMaxInactiveInterval(Duration interval) {
    throw new UnsupportedOperationException(FIXED);
  }
}
