package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import javax.servlet.AsyncContext;
import javax.servlet.DispatcherType;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.tomcat.util.IntrospectionUtils;
import org.apache.tomcat.util.descriptor.web.ErrorPage;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;

/**
 * A value that will never be stored is the page's own fault: the application's error page says so,
 * with 500. A 503 would have it sent again, for ever.
 */
class ErrorPageTest {

  private Tomcats tomcats;

  @BeforeEach
  void prepare() throws Exception {
    tomcats = new Tomcats();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private Node withPage(String exception, int status) throws Exception {
    return tomcats.start(
        "with-" + exception + status,
        null,
        node -> {
          failing(node);
          ErrorPage page = new ErrorPage();
          if (exception == null) {
            page.setErrorCode(status);
          } else {
            page.setExceptionType(exception);
          }
          page.setLocation("/oops");
          node.context.addErrorPage(page);
        });
  }

  /** Where values that cannot be stored may stay on their Tomcat, they shall not. */
  private static void failing(Node node) {
    IntrospectionUtils.setProperty(node.manager, "onUnserializable", "fail");
  }

  private static void spoil(HttpServletRequest request) {
    request.getSession().setAttribute("thread", new Object());
  }

  /** What follows a spoilt session; run as error page, it says sorry. */
  private static Work page(Work rest) {
    return (q, a) -> {
      if (q.getDispatcherType() == DispatcherType.ERROR) {
        a.getWriter().print("sorry for " + a.getStatus());
        return;
      }
      spoil(q);
      rest.serve(q, a);
    };
  }

  private static void sayMuch(HttpServletResponse response) throws Exception {
    for (int i = 0; i < 10_000; i++) {
      response.getWriter().print("0123456789");
    }
  }

  private static final Work[] WAYS = {
    (q, a) -> a.getWriter().print("unsaved"),
    (q, a) -> sayMuch(a),
    (q, a) -> {
      a.getWriter().print("unsaved");
      a.flushBuffer();
    },
    (q, a) -> a.sendRedirect("/elsewhere"),
    (q, a) -> a.sendError(404),
    (q, a) -> {
      try {
        sayMuch(a);
      } catch (RuntimeException swallowed) {
        sayMuch(a);
      }
    },
    (q, a) -> a.getOutputStream().close(),
    (q, a) -> {
      q.getSession().invalidate();
      spoil(q);
    },
  };

  private static void assertSorry(Answer answer, String way) {
    assertEquals(500, answer.status(), way + answer.text);
    assertTrue(answer.text.contains("sorry for 500"), way + answer.text);
    assertFalse(answer.text.contains("unsaved"), way + answer.text);
    for (String header : new String[] {"Set-Cookie", "Retry-After", "Location", "Remora-Effect"}) {
      assertNull(answer.header(header), way + answer.text);
    }
  }

  @Test
  void an_error_page_by_exception_or_by_status_answers_however_the_page_ends() throws Exception {
    for (Node node : new Node[] {withPage("java.lang.RuntimeException", 0), withPage(null, 500)}) {
      for (int i = 0; i < WAYS.length; i++) {
        assertSorry(node.get("/", null, page(WAYS[i])), "way " + i + ": ");
      }
      String cookie = node.get("/", null, TwoTomcats.SET).cookie();
      assertSorry(node.get("/", cookie, page(WAYS[0])), "");
      assertEquals("apples", node.get("/", cookie, TwoTomcats.GET).body());
    }
  }

  @Test
  void without_an_error_page_tomcat_reports_the_fault_as_any_other() throws Exception {
    Node node = tomcats.start("bare", null, ErrorPageTest::failing);
    for (int i = 0; i < WAYS.length; i++) {
      Answer answer = node.get("/", null, page(WAYS[i]));
      String way = "way " + i + ": " + answer.text;
      assertEquals(500, answer.status(), way);
      assertTrue(answer.text.contains("session attribute &quot;thread&quot;"), way);
      assertNull(answer.header("Set-Cookie"), way);
    }
  }

  @Test
  void an_asynchronous_answer_that_no_page_can_tell_is_an_empty_500() throws Exception {
    Node node = withPage(null, 500);
    Answer answer =
        node.get(
            "/",
            null,
            (q, a) -> {
              AsyncContext async = q.startAsync();
              new Thread(
                      () -> {
                        spoil(q);
                        async.complete();
                      })
                  .start();
            });
    assertEquals(500, answer.status(), answer.text);
    assertNull(answer.header("Set-Cookie"), answer.text);
    assertNull(answer.header("Retry-After"), answer.text);
    assertEquals("", answer.body());
  }

  @Test
  void an_asynchronous_dispatch_is_a_page_like_another() throws Exception {
    Node node = withPage(null, 500);
    Work work =
        (q, a) -> {
          if (q.getDispatcherType() == DispatcherType.REQUEST) {
            q.startAsync().dispatch();
          } else {
            page(WAYS[0]).serve(q, a);
          }
        };
    assertSorry(node.get("/", null, work), "");
  }

  @Test
  void where_the_head_has_left_the_connection_is_cut() throws Exception {
    Node node = withPage(null, 500);
    Answer answer =
        node.get(
            "/",
            null,
            (q, a) -> {
              a.getWriter().print("early");
              q.getSession();
              a.flushBuffer();
              spoil(q);
            });
    assertEquals(200, answer.status(), answer.text);
    assertFalse(answer.text.endsWith("0\r\n\r\n"), "a whole answer: " + answer.text);
  }

  @Test
  void a_store_that_fails_is_a_503_beside_an_error_page() throws Exception {
    Node node = withPage(null, 500);
    node.store.savesFail = true;
    TwoTomcats.assertRefused(node.get("/", null, TwoTomcats.SET), "certain");
  }
}
