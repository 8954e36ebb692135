package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;

/** How refused and cut answers look on the wire, whatever the protocol. */
class ResponseTest {

  private Tomcats tomcats;
  private Node one;
  private String cookie;

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    one = tomcats.start("one", null);
    cookie = one.get("/", null, (q, a) -> q.getSession().setAttribute("cart", "apples")).cookie();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private Http2Client.Answer http2(String cookie) throws Exception {
    return Http2Client.get(one.tomcat.getConnector().getLocalPort(), "/", cookie);
  }

  @Test
  void an_http2_answer_with_a_stored_change_is_whole() throws Exception {
    one.work =
        (q, a) -> {
          q.getSession().setAttribute("cart", "pears");
          a.getWriter().print("stored");
        };
    Http2Client.Answer answer = http2(cookie);
    assertEquals(200, answer.status());
    assertEquals("stored", answer.body.toString());
    assertTrue(answer.whole);
  }

  @Test
  void an_http2_answer_whose_save_fails_is_an_empty_503_without_a_cookie() throws Exception {
    one.store.savesFail = true;
    one.work =
        (q, a) -> {
          q.getSession().setAttribute("cart", "unsaved");
          for (int i = 0; i < 10_000; i++) {
            a.getWriter().print("0123456789");
          }
        };
    Http2Client.Answer answer = http2(null);
    assertEquals(503, answer.status());
    assertNull(answer.head.get("set-cookie"));
    assertEquals("", answer.body.toString());
    assertTrue(answer.whole);
  }

  @Test
  void an_http2_answer_that_is_cut_never_looks_whole() throws Exception {
    one.work =
        (q, a) -> {
          a.getWriter().print("early");
          a.flushBuffer();
          q.getSession().setAttribute("cart", "unsaved");
          one.store.savesFail = true;
          a.getWriter().print("late");
          a.flushBuffer();
          a.getWriter().print("too late");
        };
    Http2Client.Answer answer = http2(cookie);
    assertEquals(200, answer.status());
    assertFalse(answer.whole);
    assertFalse(answer.body.toString().contains("late"), answer.body.toString());
  }
}
