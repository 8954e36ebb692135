package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Future;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.servlets.DefaultServlet;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.ErrorPage;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.apache.tomcat.util.descriptor.web.SecurityCollection;
import org.apache.tomcat.util.descriptor.web.SecurityConstraint;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;

/** What goes on while the store says nothing, or while it was found to be away. */
class SilentStoreTest extends ManyClients {

  /** Threads of the connector, of which silence may not take more than half. */
  private static final int THREADS = 20;

  private Node three;
  private final CountDownLatch silence = new CountDownLatch(1);

  @BeforeEach
  void startOneMore() throws Exception {
    three =
        tomcats.start(
            "three",
            null,
            node -> {
              node.tomcat.getConnector().setProperty("maxThreads", "" + THREADS);
              serveFiles(node);
              addApplication(node, "/second");
              addApplication(node, "/third");
            });
    three.work = pages;
  }

  @AfterEach
  void endSilence() {
    silence.countDown();
  }

  private static void serveFiles(Node node) {
    try {
      byte[] text = "static".getBytes(StandardCharsets.ISO_8859_1);
      Path folder = Files.createDirectories(Paths.get(node.context.getDocBase(), "static"));
      Files.write(folder.resolve("file.txt"), text);
    } catch (IOException broken) {
      throw new UncheckedIOException(broken);
    }
    Tomcat.addServlet(node.context, "default", new DefaultServlet());
    node.context.addServletMappingDecoded("/static/*", "default");
  }

  private static void addApplication(Node node, String path) {
    Context context = node.tomcat.addContext(path, node.context.getDocBase());
    context.setManager(node.newManager("three"));
    HttpServlet servlet =
        new HttpServlet() {
          private static final long serialVersionUID = 1L;

          @Override
          protected void doGet(HttpServletRequest q, HttpServletResponse a) {
            q.getSession().setAttribute("cart", "apples");
          }
        };
    Tomcat.addServlet(context, "work", servlet);
    context.addServletMappingDecoded("/*", "work");
  }

  @Test
  void a_static_file_asks_nothing_whatever_the_cookie() throws Exception {
    assertEquals("static", three.get("/static/file.txt", cookie).body());
    assertEquals("static", three.get("/static/file.txt", null).body());
    assertEquals(404, three.get("/static/missing.txt", cookie).status());
    assertEquals(0, three.store.countAll());
  }

  @Test
  void a_static_file_is_served_while_the_store_is_silent() throws Exception {
    three.store.silence = silence;
    assertEquals("static", three.get("/static/file.txt", cookie).body());
    assertEquals(404, three.get("/static/missing.txt", cookie).status());
    assertEquals("static", three.get("/static/file.txt", null).body());
  }

  @Test
  void a_file_that_is_not_for_everybody_waits_for_an_answer() throws Exception {
    SecurityConstraint constraint = new SecurityConstraint();
    SecurityCollection files = new SecurityCollection();
    files.addPatternDecoded("/static/file.txt");
    constraint.addCollection(files);
    constraint.addAuthRole("customer");
    three.context.addConstraint(constraint);
    away(three);
    assertRefused(three.get("/static/file.txt", cookie), "none");
    assertEquals(404, three.get("/static/missing.txt", cookie).status());
  }

  @Test
  void a_file_behind_a_filter_of_the_application_waits_for_an_answer() throws Exception {
    addFilter("org.apache.catalina.filters.SetCharacterEncodingFilter");
    away(three);
    assertEquals("static", three.get("/static/file.txt", cookie).body());
    addFilter("shop.WhoIsSignedIn");
    assertRefused(three.get("/static/file.txt", cookie), "none");
  }

  /** Adds a filter that is never run: the application has started already. */
  private void addFilter(String className) {
    FilterDef filter = new FilterDef();
    filter.setFilterName(className);
    filter.setFilterClass(className);
    three.context.addFilterDef(filter);
    FilterMap map = new FilterMap();
    map.setFilterName(className);
    map.addURLPatternDecoded("/*");
    three.context.addFilterMap(map);
  }

  @Test
  void an_error_page_of_a_missing_file_does_not_begin_another_session() throws Exception {
    ErrorPage page = new ErrorPage();
    page.setErrorCode(404);
    page.setLocation("/?page=set&value=pears");
    three.context.addErrorPage(page);
    away(three);
    Answer refused = three.get("/static/missing.txt", cookie);
    assertEquals(503, refused.status());
    assertNull(refused.cookie());
  }

  @Test
  void a_request_without_a_cookie_is_answered_while_the_store_is_silent() throws Exception {
    pages.page("plain", (q, a) -> a.getWriter().print("plain"));
    three.store.silence = silence;
    assertEquals("plain", three.get("/?page=plain", null).body());
    assertEquals("none", three.get("/?page=get", null).body());
  }

  @Test
  void an_absurd_cookie_is_answered_while_the_store_is_silent() throws Exception {
    three.store.silence = silence;
    assertEquals("none", three.get("/?page=get", "JSESSIONID=../../etc/passwd").body());
  }

  @Test
  void silence_takes_no_more_than_half_of_the_threads() {
    assertEquals(THREADS / 2, three.options.waitersMax());
  }

  @Test
  void a_known_outage_is_answered_at_once_with_effect_none() throws Exception {
    away(three);
    assertRefused(three.get("/?page=get", cookie), "none");
    three.store.silence = silence; // whoever asked now would wait
    Answer refused = answered(ask(three, "get"));
    assertRefused(refused, "none");
    assertNull(refused.cookie());
    three.store.silence = null;
    back(three);
    Conditions.await("return", () -> three.get("/?page=get", cookie).status() == 200);
    assertEquals("apples", three.get("/?page=get", cookie).body());
  }

  @Test
  void three_applications_stop_together_while_the_store_is_silent() throws Exception {
    for (String path : new String[] {"/?page=set&value=pears", "/second/", "/third/"}) {
      assertAnswered(three.get(path, null));
      assertAnswered(three.get(path, null));
    }
    three.store.silence = silence;
    Future<?> stop =
        clients.submit(
            () -> {
              three.tomcat.stop();
              return null;
            });
    Conditions.await("stop", stop::isDone);
    stop.get();
    assertEquals(1, silence.getCount(), "the store has not said a word");
  }
}
