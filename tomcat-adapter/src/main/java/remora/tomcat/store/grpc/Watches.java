package remora.tomcat.store.grpc;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import remora.proto.v1.ExchangeRequest;
import remora.proto.v1.News;
import remora.proto.v1.Watched;
import remora.tomcat.store.NewsListener;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;

/**
 * The sessions that this process watches, and which of them the node of the present stream has not
 * heard of. A node forgets them with the stream, so on the next one all are said anew.
 */
final class Watches {

  /** Sessions in one message: some 100 KiB. */
  private static final int PER_MESSAGE_MAX = 1_000;

  private final Map<String, NewsListener> listeners = new ConcurrentHashMap<>();
  private final Map<SessionKey, Long> watched = new ConcurrentHashMap<>();

  /** About which the node of the present stream is to be told: those watched, and those no more. */
  private final Set<SessionKey> unsaid = ConcurrentHashMap.newKeySet();

  void listen(String application, NewsListener listener) {
    listeners.put(application, listener);
  }

  /** Nobody listens for an application any more; nothing of it is watched then. */
  void forget(String application, NewsListener listener) {
    if (listeners.remove(application, listener)) {
      for (SessionKey key : watched.keySet()) {
        if (key.application().equals(application)) {
          forget(key);
        }
      }
    }
  }

  void watch(SessionKey key, long createdVersion) {
    if (watched.size() < SessionStore.WATCHED_MAX) {
      watched.put(key, createdVersion);
      unsaid.add(key);
    }
  }

  void forget(SessionKey key) {
    if (watched.remove(key) != null && !unsaid.remove(key)) {
      unsaid.add(key);
    }
  }

  /** A stream begins, on which nothing was said; under the send lock. */
  void sayAnew() {
    unsaid.clear();
    unsaid.addAll(watched.keySet());
  }

  boolean isUnsaid() {
    return !unsaid.isEmpty();
  }

  /** Adds what is to be said; under the send lock. */
  void say(ExchangeRequest.Builder message) {
    int said = 0;
    for (SessionKey key : unsaid) {
      if (said == PER_MESSAGE_MAX) {
        return;
      }
      if (!unsaid.remove(key)) {
        continue; // taken back meanwhile
      }
      said++;
      Long createdVersion = watched.get(key);
      if (createdVersion == null) {
        message.addUnwatched(ToWire.key(key));
      } else {
        message.addWatched(
            Watched.newBuilder().setSession(ToWire.key(key)).setCreatedVersion(createdVersion));
      }
    }
  }

  /** Takes news in. */
  void heard(News news) {
    SessionKey key = FromWire.key(news.getSession());
    NewsListener listener = listeners.get(key.application());
    boolean known = watched.remove(key, news.getCreatedVersion());
    if (news.getNewKey().isEmpty()) {
      if (known && listener != null) {
        listener.ended(key, news.getCreatedVersion());
      }
      return;
    }
    SessionKey newKey = new SessionKey(key.application(), news.getNewKey().toByteArray());
    if (known && listener != null) {
      watched.put(newKey, news.getCreatedVersion());
      listener.renamed(key, newKey);
    } else {
      unsaid.add(newKey); // the node watches it on, and nobody here wants it
    }
  }
}
