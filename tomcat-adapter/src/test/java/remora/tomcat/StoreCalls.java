package remora.tomcat;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import remora.tomcat.store.Push;
import remora.tomcat.store.PushListener;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;

/**
 * What one Tomcat asks of its store: noted down, and open to a test that steps in between a command
 * and its answer. Knows the seam by the names of its calls only.
 */
final class StoreCalls implements InvocationHandler {

  /** What a test does in between. */
  @FunctionalInterface
  interface Step {
    void run() throws Exception;
  }

  /** One call that names a session. */
  static final class Call {
    final String name;
    private final Object[] arguments;

    /** Null until it is answered. */
    volatile Object outcome;

    private Call(String name, Object[] arguments) {
      this.name = name;
      this.arguments = arguments;
    }

    /** The first argument of a type; null if there is none. */
    <T> T argument(Class<T> type) {
      for (Object argument : arguments) {
        if (type.isInstance(argument)) {
          return type.cast(argument);
        }
      }
      return null;
    }
  }

  private final SessionStore store;
  private final List<Call> calls = new CopyOnWriteArrayList<>();
  private final Map<String, Step> before = new ConcurrentHashMap<>();
  private final Map<String, Step> beforeAnswer = new ConcurrentHashMap<>();

  private final AtomicReference<Step> afterPush = new AtomicReference<>();

  /** Who hears of sessions that are lost. */
  volatile PushListener listener;

  StoreCalls(SessionStore store) {
    this.store = store;
  }

  /** The store to be given to a manager. */
  SessionStore watched() {
    return (SessionStore)
        Proxy.newProxyInstance(
            StoreCalls.class.getClassLoader(), new Class<?>[] {SessionStore.class}, this);
  }

  /** Once, before the next call of this name is carried out. */
  void before(String name, Step step) {
    before.put(name, step);
  }

  /** Once, when the next call of this name has been carried out and its answer is on its way. */
  void beforeAnswer(String name, Step step) {
    beforeAnswer.put(name, step);
  }

  /** Once, when this Tomcat has heard of the next push. */
  void afterPush(Step step) {
    afterPush.set(step);
  }

  /** All calls of a name, in their order. */
  List<Call> all(String name) {
    List<Call> named = new ArrayList<>(calls);
    named.removeIf(call -> !call.name.equals(name));
    return named;
  }

  /** The latest call of a name. */
  Call last(String name) {
    List<Call> named = all(name);
    if (named.isEmpty()) {
      throw new NoSuchElementException("the store was never asked to " + name);
    }
    return named.get(named.size() - 1);
  }

  /** The names of all calls so far that may change the table. */
  List<String> changes() {
    List<String> names = new ArrayList<>();
    for (Call call : calls) {
      if (!"check".equals(call.name)) {
        names.add(call.name);
      }
    }
    return names;
  }

  /** The session that the latest save was about. */
  SessionKey key() {
    return last("save").argument(SessionKey.class);
  }

  @Override
  public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
    if ("onPush".equals(method.getName())) {
      listener = (PushListener) arguments[1];
      return carryOut(method, new Object[] {arguments[0], (PushListener) this::pushed});
    }
    if (arguments == null || !Arrays.stream(arguments).anyMatch(SessionKey.class::isInstance)) {
      return carryOut(method, arguments);
    }
    Call call = new Call(method.getName(), arguments);
    calls.add(call);
    run(before.remove(call.name));
    call.outcome = carryOut(method, arguments);
    run(beforeAnswer.remove(call.name));
    return call.outcome;
  }

  private void pushed(Push push) {
    listener.pushed(push);
    try {
      run(afterPush.getAndSet(null));
    } catch (Exception failed) {
      throw new IllegalStateException(failed);
    }
  }

  private Object carryOut(Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(store, arguments);
    } catch (InvocationTargetException thrown) {
      throw thrown.getCause();
    }
  }

  private static void run(Step step) throws Exception {
    if (step != null) {
      step.run();
    }
  }
}
