package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import javax.servlet.AsyncContext;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;

/** What users see while the store refuses or does not answer: a 503 and nothing of the change. */
class FailedSaveTest extends TwoTomcats {

  @Test
  void a_failed_save_shows_neither_cookie_nor_body() throws Exception {
    one.store.savesFail = true;
    Answer answer = one.get("/", null, SET);
    assertRefused(answer, "certain");
  }

  @Test
  void a_failed_save_shows_nothing_of_a_redirect_a_flush_an_error_or_a_large_body()
      throws Exception {
    one.store.savesFail = true;
    Work[] ways = {
      (q, a) -> {
        SET.serve(q, a);
        a.sendRedirect("/elsewhere");
      },
      (q, a) -> {
        SET.serve(q, a);
        a.flushBuffer();
        a.getWriter().print("after the flush");
      },
      (q, a) -> {
        SET.serve(q, a);
        a.sendError(404);
      },
      (q, a) -> {
        SET.serve(q, a);
        throw new IllegalStateException("broken page");
      },
      (q, a) -> {
        SET.serve(q, a);
        for (int i = 0; i < 100_000; i++) {
          a.getWriter().print("0123456789");
        }
      },
      (q, a) -> {
        SET.serve(q, a);
        AsyncContext async = q.startAsync();
        new Thread(async::complete).start();
      },
      (q, a) -> {
        AsyncContext async = q.startAsync();
        new Thread(
                () -> {
                  q.getSession().setAttribute("cart", "late");
                  async.complete();
                })
            .start();
      },
    };
    for (Work way : ways) {
      assertRefused(one.get("/", null, way), "certain");
    }
    one.store.savesFail = false;
    assertEquals("none", one.get("/", null, GET).body());
  }

  @Test
  void a_store_outage_is_a_503_before_the_application_runs_and_keeps_the_cookie() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    two.store.down = true;
    two.work = (q, a) -> a.getWriter().print("ran");
    assertRefused(two.get("/", cookie), "none");
    assertEquals("ran", two.get("/", null).body(), "requests without a session go on");
    two.store.down = false;
    assertEquals("apples", two.get("/", cookie, GET).body());
  }

  @Test
  void unsaved_state_is_not_served_after_a_failed_save() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.store.savesFail = true;
    Answer failed = one.get("/", cookie, (q, a) -> q.getSession().setAttribute("cart", "unsaved"));
    assertRefused(failed, "certain");
    one.store.savesFail = false;
    assertEquals("apples", one.get("/", cookie, GET).body());
  }

  @Test
  void a_logout_that_the_store_does_not_confirm_is_refused_and_the_session_lives()
      throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.store.savesFail = true;
    assertRefused(one.get("/", cookie, (q, a) -> q.getSession().invalidate()), "certain");
    one.store.savesFail = false;
    assertEquals("apples", one.get("/", cookie, GET).body());
  }

  @Test
  void an_attribute_that_cannot_be_serialized_stays_here_and_fails_nobody() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Work set = (q, a) -> q.getSession().setAttribute("thread", new Object());
    assertEquals(200, one.get("/", cookie, set).status());
    Work read = (q, a) -> a.getWriter().print(q.getSession().getAttribute("thread") != null);
    assertEquals("true", one.get("/", cookie, read).body());
    assertEquals("false", two.get("/", cookie, read).body());
    assertEquals("apples", two.get("/", cookie, GET).body());
  }

  @Test
  void a_change_after_the_head_has_left_that_cannot_be_stored_cuts_the_connection()
      throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              a.getWriter().print("early");
              a.flushBuffer();
              q.getSession().setAttribute("cart", "late");
              one.store.savesFail = true;
            });
    one.store.savesFail = false;
    assertEquals(200, answer.status());
    assertFalse(answer.text.endsWith("0\r\n\r\n"), "a whole answer: " + answer.text);
    assertEquals("apples", one.get("/", cookie, GET).body());
  }
}
