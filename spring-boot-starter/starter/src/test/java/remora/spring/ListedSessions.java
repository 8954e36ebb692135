package remora.spring;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;
import remora.tomcat.store.SessionKey;

/** A directory of sessions in memory; the claims ask the real one. */
final class ListedSessions implements SessionDirectory {

  private final Map<String, SessionEntry> entries = new LinkedHashMap<>();
  private final Map<String, Map<String, String>> labels = new LinkedHashMap<>();

  /** Enters the session of a client's user, and gives the hash by which it is known. */
  String enter(String principal, String issuer, String client, String sid) {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    hash[0] = (byte) (entries.size() + 0xa0);
    SessionKey key = new SessionKey("localhost", hash);
    entries.put(key.hashText(), new SessionEntry(key, principal, "n1", 1_000, 2_000, 1_800));
    labels.put(
        key.hashText(),
        Map.of(
            PRINCIPAL,
            principal,
            OIDC_SID,
            sid,
            OIDC_SESSION,
            SessionDirectory.forClient(issuer, client, sid),
            OIDC_SUBJECT,
            SessionDirectory.forClient(issuer, client, principal)));
    return key.hashText();
  }

  @Override
  public List<SessionEntry> all() {
    return new ArrayList<>(entries.values());
  }

  @Override
  public List<SessionEntry> labelled(String label, String value) {
    return entries.values().stream()
        .filter(entry -> value.equals(labels.get(entry.key().hashText()).get(label)))
        .toList();
  }

  @Override
  public SessionEntry find(String hash) {
    return entries.get(hash);
  }

  @Override
  public long endLabelled(String label, String value) {
    List<SessionEntry> found = labelled(label, value);
    found.forEach(entry -> entries.remove(entry.key().hashText()));
    return found.size();
  }

  @Override
  public boolean end(String hash) {
    return entries.remove(hash) != null;
  }

  @Override
  public void close() {}
}
