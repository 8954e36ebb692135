package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import javax.servlet.http.HttpSession;
import org.apache.tomcat.util.IntrospectionUtils;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.store.StoreState;

/** Two Tomcats with pages by name, a session with a cart, and clients that do not wait in turn. */
abstract class ManyClients extends TwoTomcats {

  /** Longest time that something may take which should not take any, in seconds. */
  static final int PATIENCE_SECONDS = 20;

  /** One application of several pages: {@code /?page=NAME}. */
  static final class Pages implements Work {
    private final Map<String, Work> pages = new ConcurrentHashMap<>();

    private Pages() {
      page("get", Pages::get);
      page("set", (q, a) -> q.getSession().setAttribute(name(q), q.getParameter("value")));
      page("logout", (q, a) -> q.getSession().invalidate());
    }

    Pages page(String name, Work work) {
      pages.put(name, work);
      return this;
    }

    private static String name(HttpServletRequest request) {
      String name = request.getParameter("name");
      return name == null ? "cart" : name;
    }

    private static void get(HttpServletRequest q, HttpServletResponse a) throws Exception {
      HttpSession session = q.getSession(false);
      a.getWriter().print(session == null ? "none" : "" + session.getAttribute(name(q)));
    }

    @Override
    public void serve(HttpServletRequest request, HttpServletResponse response) throws Exception {
      pages.get(request.getParameter("page")).serve(request, response);
    }
  }

  final Pages pages = new Pages();
  final ExecutorService clients = Executors.newCachedThreadPool();
  String cookie;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
    one.work = pages;
    two.work = pages;
  }

  @AfterEach
  void endClients() {
    clients.shutdownNow();
  }

  /** A page of this session. */
  Answer page(Node node, String page) throws Exception {
    return node.get("/?page=" + page, cookie);
  }

  /** The same by a client of its own. */
  Future<Answer> ask(Node node, String page) {
    return clients.submit(() -> page(node, page));
  }

  static Answer answered(Future<Answer> answer) throws Exception {
    return answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  static void assertAnswered(Answer answer) {
    assertEquals(200, answer.status(), answer.text);
  }

  /** What a Tomcat shows of an attribute. */
  String shown(Node node, String name) throws Exception {
    Answer answer = page(node, "get&name=" + name);
    assertAnswered(answer);
    return answer.body();
  }

  static void awaitOpen(CountDownLatch latch) throws InterruptedException {
    assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS), "nobody came");
  }

  /** For this Tomcat the store is away. */
  static void away(Node node) {
    node.store.stand(StoreState.Kind.AWAY);
  }

  /** For this Tomcat the store is there again. */
  static void back(Node node) {
    node.store.stand(StoreState.Kind.LED);
  }

  /** One more Tomcat, whose manager's element has another attribute. */
  Node startWith(String attribute, String value) throws Exception {
    Node node =
        tomcats.start(
            "third",
            null,
            prepared ->
                assertTrue(
                    IntrospectionUtils.setProperty(prepared.manager, attribute, value),
                    "the manager has no attribute " + attribute));
    node.work = pages;
    return node;
  }
}
