package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.servlet.ServletContextEvent;
import javax.servlet.ServletContextListener;
import javax.servlet.http.HttpSession;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import javax.websocket.DeploymentException;
import javax.websocket.Endpoint;
import javax.websocket.EndpointConfig;
import javax.websocket.HandshakeResponse;
import javax.websocket.MessageHandler;
import javax.websocket.Session;
import javax.websocket.server.HandshakeRequest;
import javax.websocket.server.ServerContainer;
import javax.websocket.server.ServerEndpointConfig;
import org.apache.tomcat.websocket.server.WsSci;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.Push;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreState;

/** WebSockets that were opened in a session: what becomes of them when it ends or moves. */
class WebSocketTest {

  private static final Tomcats.Work ADD =
      (request, response) -> {
        List<String> list = new ArrayList<>();
        list.add("first");
        request.getSession().setAttribute("list", list);
      };

  private static final Tomcats.Work LIST =
      (request, response) -> response.getWriter().print(request.getSession().getAttribute("list"));

  private static final Tomcats.Work END = (request, response) -> request.getSession().invalidate();

  /** Adds each message to the session's list and says so; or what it knows, for a question. */
  public static final class Listing extends Endpoint {
    @Override
    public void onOpen(Session session, EndpointConfig config) {
      HttpSession http = (HttpSession) config.getUserProperties().get("http");
      session.addMessageHandler(
          new MessageHandler.Whole<String>() {
            @Override
            public void onMessage(String text) {
              try {
                if (!"?".equals(text)) {
                  @SuppressWarnings("unchecked")
                  List<String> list = (List<String>) http.getAttribute("list");
                  list.add(text);
                }
                session.getBasicRemote().sendText("heard " + text);
              } catch (IOException gone) {
                throw new IllegalStateException(gone);
              }
            }
          });
    }
  }

  /** Hands the HTTP session to the endpoint, as applications do. */
  public static final class WithSession extends ServerEndpointConfig.Configurator {
    @Override
    public void modifyHandshake(
        ServerEndpointConfig config, HandshakeRequest request, HandshakeResponse response) {
      if (request.getHttpSession() != null) {
        config.getUserProperties().put("http", request.getHttpSession());
      }
    }
  }

  private Tomcats tomcats;
  private Node one;
  private Node two;
  private SocketClient socket;

  private static void withSockets(Node node) {
    node.context.addServletContainerInitializer(new WsSci(), null);
    node.context.addApplicationListener(Deploys.class.getName());
  }

  /** Deploys the endpoint. */
  public static final class Deploys implements ServletContextListener {
    @Override
    public void contextInitialized(ServletContextEvent event) {
      ServerContainer container =
          (ServerContainer)
              event.getServletContext().getAttribute("javax.websocket.server.ServerContainer");
      try {
        container.addEndpoint(
            ServerEndpointConfig.Builder.create(Listing.class, "/socket")
                .configurator(new WithSession())
                .build());
      } catch (DeploymentException broken) {
        throw new IllegalStateException(broken);
      }
    }
  }

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    one = tomcats.start("one", null, WebSocketTest::withSockets);
    two = tomcats.start("two", null);
  }

  @AfterEach
  void stop() throws Exception {
    if (socket != null) {
      socket.close();
    }
    tomcats.close();
  }

  /** Opens a socket at the first Tomcat in a new session with a list; gives its cookie. */
  private String open() throws Exception {
    String cookie = one.get("/", null, ADD).cookie();
    open(cookie);
    return cookie;
  }

  private void open(String cookie) throws IOException {
    socket = new SocketClient(one.tomcat.getConnector().getLocalPort(), "/socket", cookie);
    assertEquals("heard ?", socket.ask("?"));
  }

  private SessionKey key() {
    return ((RemoraSession) one.manager.findSessions()[0]).held().key();
  }

  private void assertEnded() throws IOException {
    assertEquals(1008, socket.closeCode());
    assertEquals(0, one.manager.getSocketsNotClosed());
  }

  @Test
  void a_session_that_ends_here_closes_its_socket() throws Exception {
    String cookie = open();
    one.get("/", cookie, END);
    assertEnded();
  }

  @Test
  void so_does_one_that_never_had_a_record() throws Exception {
    String cookie = one.get("/", null, (q, a) -> q.getSession()).cookie();
    open(cookie);
    one.get("/", cookie, END);
    assertEnded();
    assertEquals(0, one.store.count("save"));
  }

  @Test
  void one_that_moved_and_ends_elsewhere_closes_it_too() throws Exception {
    String cookie = open();
    assertEquals("[first]", two.get("/", cookie, LIST).body());
    assertEquals("heard ?", socket.ask("?"));
    two.get("/", cookie, END);
    assertEnded();
  }

  @Test
  void and_one_that_has_another_id_there_before_it_ends() throws Exception {
    String cookie = open();
    String after =
        two.get(
                "/",
                cookie,
                (q, a) -> {
                  q.getSession();
                  q.changeSessionId();
                })
            .cookie();
    assertEquals("heard ?", socket.ask("?"));
    two.get("/", after, END);
    assertEnded();
  }

  @Test
  void a_session_that_came_back_is_watched_no_more_and_keeps_its_socket() throws Exception {
    String cookie = open();
    SessionKey key = key();
    two.get("/", cookie, LIST);
    Conditions.await("watch", () -> one.store.watched.containsKey(key));
    assertEquals("[first]", one.get("/", cookie, LIST).body());
    Conditions.await("end of the watch", () -> one.store.watched.isEmpty());
    assertEquals("heard ?", socket.ask("?"));
    one.get("/", cookie, END);
    assertEnded();
  }

  @Test
  void a_session_keeps_its_socket_when_its_id_changes_here() throws Exception {
    String cookie = open();
    String after = one.get("/", cookie, (q, a) -> q.changeSessionId()).cookie();
    assertEquals("heard ?", socket.ask("?"));
    one.get("/", after, END);
    assertEnded();
  }

  @Test
  void an_operator_and_the_sweep_close_it_though_a_listener_is_slow() throws Exception {
    for (Push.Kind kind : new Push.Kind[] {Push.Kind.GONE, Push.Kind.EXPIRED}) {
      CountDownLatch slow = new CountDownLatch(1);
      HttpSessionListener listener =
          new HttpSessionListener() {
            @Override
            public void sessionDestroyed(HttpSessionEvent event) {
              try {
                assertTrue(slow.await(20, TimeUnit.SECONDS));
              } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
              }
            }
          };
      one.context.setApplicationLifecycleListeners(new Object[] {listener});
      open();
      one.store.end(key(), kind);
      assertEnded();
      slow.countDown();
      socket.close();
      Conditions.await("end", () -> one.manager.findSessions().length == 0);
    }
  }

  @Test
  void an_end_that_was_not_heard_is_asked_for_when_the_store_is_heard_again() throws Exception {
    open();
    SessionKey key = key();
    // Later ones would tell, too; a session that only a socket uses has none.
    Conditions.await("last touch", () -> one.store.touched(key) > 0);
    one.store.stand(StoreState.Kind.SEEKING);
    one.store.untrusted = true;
    tomcats.stranger().end(key, Push.Kind.GONE);
    one.store.untrusted = false;
    one.store.stand(StoreState.Kind.LED);
    assertEnded();
  }

  @Test
  void what_a_message_changes_in_place_is_stored() throws Exception {
    String cookie = open();
    assertEquals("heard second", socket.ask("second"));
    Conditions.await(
        "save",
        () ->
            one.calls.all("save").size() > 1
                && !((RemoraSession) one.manager.findSessions()[0]).held().isOpen());
    assertEquals("[first, second]", two.get("/", cookie, LIST).body());
  }

  @Test
  void a_socket_that_belongs_to_no_session_is_left_alone() throws Exception {
    socket = new SocketClient(one.tomcat.getConnector().getLocalPort(), "/socket", null);
    assertEquals("heard ?", socket.ask("?"));
    assertEquals(0, one.manager.getSocketsNotClosed());
  }
}
