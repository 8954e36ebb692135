package remora.tomcat.store;

/**
 * A session as the store lists it: whose it is and where, and nothing of what it holds. Immutable.
 */
public final class SessionEntry {

  private final SessionKey key;
  private final String principal;
  private final String node;
  private final long createdMillis;
  private final long lastAccessMillis;
  private final long expiresInSeconds;

  /**
   * Makes an entry.
   *
   * @param key which session
   * @param principal whose it is; empty for nobody's
   * @param node who holds it; empty for nobody
   * @param createdMillis when it was created, milliseconds since 1970
   * @param lastAccessMillis when it was used last, milliseconds since 1970
   * @param expiresInSeconds how long it lives if nobody uses it; negative for ever
   */
  public SessionEntry(
      SessionKey key,
      String principal,
      String node,
      long createdMillis,
      long lastAccessMillis,
      long expiresInSeconds) {
    this.key = key;
    this.principal = principal;
    this.node = node;
    this.createdMillis = createdMillis;
    this.lastAccessMillis = lastAccessMillis;
    this.expiresInSeconds = expiresInSeconds;
  }

  /**
   * Which session.
   *
   * @return its application and the hash of its id
   */
  public SessionKey key() {
    return key;
  }

  /**
   * Whose session it is.
   *
   * @return the label {@code principal}; empty for nobody's
   */
  public String principal() {
    return principal;
  }

  /**
   * Who holds it.
   *
   * @return a Tomcat's name; empty for nobody
   */
  public String node() {
    return node;
  }

  /**
   * When it was created.
   *
   * @return milliseconds since 1970
   */
  public long createdMillis() {
    return createdMillis;
  }

  /**
   * When it was used last.
   *
   * @return milliseconds since 1970
   */
  public long lastAccessMillis() {
    return lastAccessMillis;
  }

  /**
   * How long it lives if nobody uses it.
   *
   * @return seconds; negative for ever
   */
  public long expiresInSeconds() {
    return expiresInSeconds;
  }
}
