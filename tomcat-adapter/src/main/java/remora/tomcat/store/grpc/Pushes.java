package remora.tomcat.store.grpc;

import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import remora.tomcat.store.Push;
import remora.tomcat.store.PushListener;

/** Hands pushes to the listener of their application, on the thread that received them. */
final class Pushes {

  private final Map<String, PushListener> listeners = new ConcurrentHashMap<>();

  void listen(String application, PushListener listener) {
    listeners.put(application, listener);
  }

  void forget(String application, PushListener listener) {
    listeners.remove(application, listener);
  }

  /** Whose sessions this process holds. */
  Set<String> applications() {
    return new TreeSet<>(listeners.keySet());
  }

  /**
   * Delivers a push. One that nobody listens for, or of a kind that this version does not know, is
   * acknowledged: there is no copy that it could mean.
   *
   * @param acknowledgement see {@link Push#acknowledge}
   * @throws RuntimeException what the listener threw: its copy may still be in use
   */
  void deliver(remora.proto.v1.Push push, Runnable acknowledgement) {
    PushListener listener = listeners.get(push.getSession().getApplication());
    Push known = FromWire.push(push, acknowledgement);
    if (listener == null || known == null) {
      acknowledgement.run();
      return;
    }
    listener.pushed(known);
  }
}
