package remora.tomcat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import remora.tomcat.store.Login;
import remora.tomcat.store.Merged;
import remora.tomcat.store.Owner;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/** One session in the {@link FakeStore}, and how changes meet in it. Guarded by its table. */
final class FakeRecord {

  final Map<String, StoredAttribute> attributes = new TreeMap<>();
  final long created;
  final long createdMillis;
  long version;
  long epoch;
  long owner;
  long lastRemoval;
  Login login = Login.NONE;
  long loginVersion;
  int maxIdleSeconds;
  long maxIdleVersion;

  FakeRecord(long created, long createdMillis) {
    this.created = created;
    this.createdMillis = createdMillis;
  }

  StoredSession image() {
    return new StoredSession(
        version,
        epoch,
        created,
        new Owner("n" + owner, owner),
        createdMillis,
        createdMillis,
        maxIdleSeconds,
        login,
        new ArrayList<>(attributes.values()));
  }

  boolean conflicts(SessionChange change) {
    List<String> names = new ArrayList<>(change.removed());
    for (StoredAttribute attribute : change.changed()) {
      names.add(attribute.name());
    }
    for (String name : names) {
      StoredAttribute there = attributes.get(name);
      if ((there == null ? lastRemoval : there.version()) > change.base()) {
        return true;
      }
    }
    return change.login() != null && loginVersion > change.base()
        || change.maxIdleSeconds() != null && maxIdleVersion > change.base();
  }

  Merged merged(SessionChange change) {
    List<StoredAttribute> newer = new ArrayList<>();
    for (StoredAttribute attribute : attributes.values()) {
      if (attribute.version() > change.base()) {
        newer.add(attribute);
      }
    }
    boolean removals = lastRemoval > change.base();
    Set<String> names = new HashSet<>(attributes.keySet());
    for (StoredAttribute attribute : change.changed()) {
      names.add(attribute.name());
    }
    return new Merged(
        newer,
        removals,
        removals ? names : Collections.<String>emptySet(),
        loginVersion > change.base() ? login : null,
        maxIdleVersion > change.base() ? maxIdleSeconds : null);
  }

  void apply(SessionChange change, long newVersion) {
    version = newVersion;
    for (StoredAttribute attribute : change.changed()) {
      attributes.put(
          attribute.name(),
          new StoredAttribute(attribute.name(), newVersion, attribute.type(), attribute.bytes()));
    }
    for (String name : change.removed()) {
      attributes.remove(name);
      lastRemoval = newVersion;
    }
    if (change.login() != null) {
      login = change.login();
      loginVersion = newVersion;
    }
    if (change.maxIdleSeconds() != null) {
      maxIdleSeconds = change.maxIdleSeconds();
      maxIdleVersion = newVersion;
    }
  }
}
