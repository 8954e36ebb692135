package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.servlet.Servlet;
import javax.servlet.http.HttpSessionEvent;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.Lifecycle;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.core.StandardWrapper;
import org.apache.catalina.startup.Tomcat;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.store.Push;

/** An application that is reloaded while its Tomcat runs on. */
class ReloadTest extends TwoTomcats {

  private final AtomicInteger created = new AtomicInteger();
  private final AtomicInteger destroyed = new AtomicInteger();
  private final CountDownLatch heard = new CountDownLatch(1);
  private final HttpSessionListener listener =
      new HttpSessionListener() {
        @Override
        public void sessionCreated(HttpSessionEvent event) {
          created.incrementAndGet();
        }

        @Override
        public void sessionDestroyed(HttpSessionEvent event) {
          destroyed.incrementAndGet();
          heard.countDown();
        }
      };

  /** Does what web.xml would: Tomcat forgets servlets and listeners when a context stops. */
  @BeforeEach
  void configureAtEveryStart() {
    StandardContext context = (StandardContext) one.context;
    Servlet servlet = ((StandardWrapper) context.findChild("work")).getServlet();
    context.addApplicationLifecycleListener(listener);
    context.addLifecycleListener(
        event -> {
          if (Lifecycle.CONFIGURE_START_EVENT.equals(event.getType())) {
            Tomcat.addServlet(context, "work", servlet).setAsyncSupported(true);
            context.addServletMappingDecoded("/*", "work");
            context.addApplicationLifecycleListener(listener);
          }
        });
  }

  private long valves() {
    return Arrays.stream(one.tomcat.getHost().getPipeline().getValves())
        .filter(valve -> valve instanceof RemoraValve)
        .count();
  }

  @Test
  void sessions_survive_a_reload_and_are_read_anew() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.context.reload();
    assertEquals(1, one.store.count("release"));
    assertEquals(1, valves());
    int claims = one.store.count("claim");
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(claims + 1, one.store.count("claim"));
    assertEquals(
        200, one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", "pears")).status());
    assertEquals("pears", two.get("/", cookie, GET).body());
  }

  @Test
  void listeners_hear_of_a_session_once_whatever_is_reloaded_between() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.context.reload();
    assertEquals("apples", one.get("/", cookie, GET).body());
    one.context.reload();
    assertEquals("apples", one.get("/", cookie, GET).body());
    assertEquals(1, created.get());
    assertEquals(0, destroyed.get());
    one.get("/", cookie, (q, a) -> q.getSession().invalidate());
    assertEquals(1, created.get());
    assertEquals(1, destroyed.get());
    assertEquals("none", two.get("/", cookie, GET).body());
  }

  @Test
  void a_reloaded_application_hears_of_sessions_that_end_elsewhere() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.context.reload();
    assertEquals("apples", one.get("/", cookie, GET).body());
    RemoraSession session = (RemoraSession) one.manager.findSessions()[0];
    one.store.end(session.held().key(), Push.Kind.EXPIRED);
    assertTrue(heard.await(10, TimeUnit.SECONDS));
    assertEquals("none", one.get("/", cookie, GET).body());
    assertEquals(1, destroyed.get());
  }
}
