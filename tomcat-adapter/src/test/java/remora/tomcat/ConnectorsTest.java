package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.core.StandardThreadExecutor;
import org.apache.coyote.ajp.AbstractAjpProtocol;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;

/** What a Tomcat says of where it is reached, when it says it, and when it says it again. */
class ConnectorsTest {

  private Tomcats tomcats;

  @BeforeEach
  void make() throws Exception {
    tomcats = new Tomcats();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private Node start(Consumer<Node> prepare) throws Exception {
    return tomcats.start("one", null, prepare);
  }

  private static String url(Node node) {
    return node.store.announced.get(node.manager.getApplication()).url("192.0.2.1");
  }

  private static Connector connector(String protocol) {
    Connector made = new Connector(protocol);
    made.setPort(0);
    if (made.getProtocolHandler() instanceof AbstractAjpProtocol) {
      ((AbstractAjpProtocol<?>) made.getProtocolHandler()).setSecretRequired(false);
    }
    return made;
  }

  @Test
  void it_is_said_when_the_connectors_answer_and_with_the_port_that_they_got() throws Exception {
    Node node = start(starting -> assertTrue(starting.store.announcements.isEmpty()));
    assertEquals("http://127.0.0.1:" + node.tomcat.getConnector().getLocalPort(), url(node));
    assertEquals(1, node.store.announcements.size());
  }

  @Test
  void of_connectors_that_open_after_their_server_it_is_said_when_a_program_calls_for_it()
      throws Exception {
    AtomicReference<Connector> later = new AtomicReference<>();
    try (LogLines log = new LogLines()) {
      Node node =
          start(
              starting -> {
                later.set(starting.tomcat.getConnector());
                starting.tomcat.getService().removeConnector(later.get());
              });
      Embedding program = new Embedding(node.manager);
      node.manager.backgroundProcess();
      assertEquals(0, log.saying("no connector").size(), "the program has yet to open one");
      program.announce();
      assertTrue(node.store.announcements.isEmpty());
      assertEquals(0, log.saying("no connector").size(), "nobody has had time to open one");
      node.manager.backgroundProcess();
      assertEquals(1, log.saying("no connector").size());
      node.tomcat.getService().addConnector(later.get());
      program.announce();
      assertEquals("http://127.0.0.1:" + later.get().getLocalPort(), url(node));
    }
  }

  @Test
  void a_connector_on_all_addresses_leaves_the_address_to_whoever_knows_it() throws Exception {
    Node node = start(starting -> starting.tomcat.getConnector().setProperty("address", "0.0.0.0"));
    assertEquals("http://192.0.2.1:" + node.tomcat.getConnector().getLocalPort(), url(node));
  }

  @Test
  void what_an_administrator_says_counts() throws Exception {
    Node node = start(starting -> starting.manager.setUrl("https://10.0.0.5:8443/"));
    assertEquals("https://10.0.0.5:8443", url(node));
  }

  @Test
  void a_scheme_of_the_proxy_before_it_is_not_the_connectors() throws Exception {
    Node node = start(starting -> starting.tomcat.getConnector().setScheme("https"));
    assertTrue(url(node).startsWith("http://127.0.0.1:"), url(node));
  }

  @Test
  void of_several_connectors_it_is_the_first_that_speaks_http() throws Exception {
    Node node =
        start(
            starting -> {
              Connector http = starting.tomcat.getConnector();
              starting.tomcat.getService().removeConnector(http);
              Connector ajp = connector("AJP/1.3");
              ajp.setProperty("maxThreads", "7");
              for (Connector each : Arrays.asList(ajp, http, connector("HTTP/1.1"))) {
                starting.tomcat.getService().addConnector(each);
              }
            });
    Connector http = node.tomcat.getService().findConnectors()[1];
    assertEquals("http://127.0.0.1:" + http.getLocalPort(), url(node));
    assertEquals(200, Connectors.threads(node.context));
  }

  @Test
  void a_connector_without_a_port_is_passed_over() throws Exception {
    Node node =
        start(
            starting -> {
              Connector http = starting.tomcat.getConnector();
              starting.tomcat.getService().removeConnector(http);
              Connector file =
                  new Connector("HTTP/1.1") {
                    @Override
                    public int getLocalPort() {
                      return -1;
                    }
                  };
              file.setPort(0);
              starting.tomcat.getService().addConnector(file);
              starting.tomcat.getService().addConnector(http);
            });
    Connector http = node.tomcat.getService().findConnectors()[1];
    assertEquals("http://127.0.0.1:" + http.getLocalPort(), url(node));
  }

  @Test
  void ajp_alone_is_told_of_as_such() throws Exception {
    Node node =
        start(
            starting -> {
              starting.tomcat.getService().removeConnector(starting.tomcat.getConnector());
              starting.tomcat.getService().addConnector(connector("AJP/1.3"));
            });
    assertTrue(url(node).startsWith("ajp://"), url(node));
  }

  @Test
  void threads_of_an_executor_beside_the_connector_are_counted() throws Exception {
    Node node =
        start(
            starting -> {
              StandardThreadExecutor shared = new StandardThreadExecutor();
              shared.setName("shared");
              shared.setMaxThreads(17);
              shared.setMinSpareThreads(1);
              starting.tomcat.getService().addExecutor(shared);
              starting.tomcat.getConnector().getProtocolHandler().setExecutor(shared);
            });
    assertEquals(17, Connectors.threads(node.context));
  }

  @Test
  void what_changes_while_it_runs_is_said_again_and_nothing_else() throws Exception {
    Node node = start(starting -> {});
    node.manager.backgroundProcess();
    assertEquals(1, node.store.announcements.size());
    node.tomcat.getConnector().setProperty("maxThreads", "31");
    node.manager.backgroundProcess();
    node.manager.backgroundProcess();
    assertEquals(2, node.store.announcements.size());
    assertEquals(31, node.store.announcements.get(1).threads());
  }

  @Test
  void an_application_deployed_while_it_runs_is_said_at_once() throws Exception {
    Node node = start(starting -> {});
    Context late = node.tomcat.addContext("/late", null);
    RemoraManager manager = node.newManager("late");
    late.setManager(manager);
    if (!late.getState().isAvailable()) {
      late.start();
    } else {
      late.reload();
    }
    assertTrue(node.store.announced.containsKey(manager.getApplication()));
  }

  @Test
  void an_application_that_has_ended_is_said_no_more() throws Exception {
    Node node = start(starting -> {});
    node.context.stop();
    node.tomcat.getConnector().setProperty("maxThreads", "33");
    node.manager.backgroundProcess();
    assertEquals(1, node.store.announcements.size());
  }

  @Test
  void who_has_said_that_he_leaves_says_nothing_more() throws Exception {
    Node node = start(starting -> {});
    node.store.leaving =
        () -> {
          node.tomcat.getConnector().setProperty("maxThreads", "32");
          node.manager.backgroundProcess();
        };
    node.tomcat.stop();
    assertEquals(1, node.store.announcements.size());
  }
}
