package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Work;

/**
 * What a kept connection carries around a failed save. Tomcat ends the connection after every 503,
 * ours included; what matters is that the client is told, and that nothing comes in between.
 */
class KeptConnectionTest extends TwoTomcats {

  private static final Work SAY_MUCH =
      (q, a) -> {
        for (int i = 0; i < 10_000; i++) {
          a.getWriter().print("0123456789");
        }
      };

  private static final Work SET_AND_SAY_MUCH =
      (q, a) -> {
        SET.serve(q, a);
        SAY_MUCH.serve(q, a);
      };

  private static void assertRefusedAndOver(String head, Wire wire) throws Exception {
    assertTrue(head.startsWith("HTTP/1.1 503 "), head);
    assertFalse(head.contains("Set-Cookie"), head);
    assertTrue(head.contains("Content-Length: 0\r\n"), head);
    assertTrue(head.contains("Connection: close\r\n"), head);
    assertEquals("", wire.rest());
  }

  @Test
  void a_head_request_whose_save_fails_is_refused_like_any_other() throws Exception {
    one.store.savesFail = true;
    for (Work work : new Work[] {SET, SET_AND_SAY_MUCH}) {
      one.work = work;
      try (Wire wire = new Wire(one)) {
        assertRefusedAndOver(wire.ask("HEAD", null), wire);
      }
    }
  }

  @Test
  void a_head_request_whose_save_succeeds_names_a_session_that_is_stored() throws Exception {
    one.work = SET;
    try (Wire wire = new Wire(one)) {
      String head = wire.ask("HEAD", null);
      assertTrue(head.startsWith("HTTP/1.1 200 "), head);
      int cookie = head.indexOf("JSESSIONID=");
      assertEquals(
          "apples", two.get("/", head.substring(cookie, head.indexOf(';', cookie)), GET).body());
      one.work = GET;
      assertTrue(wire.ask("GET", null).startsWith("HTTP/1.1 200 "), "nothing was left over");
    }
  }

  @Test
  void a_refusal_after_good_answers_ends_the_connection_and_leaks_no_body() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    try (Wire wire = new Wire(one)) {
      for (int i = 0; i < 3; i++) {
        one.work = GET;
        assertTrue(wire.ask("GET", cookie).startsWith("HTTP/1.1 200 "));
        assertEquals("apples", wire.body(6));
      }
      one.work =
          (q, a) -> {
            q.getSession().setAttribute("cart", "unsaved");
            SAY_MUCH.serve(q, a);
          };
      one.store.savesFail = true;
      assertRefusedAndOver(wire.ask("GET", cookie), wire);
      one.store.savesFail = false;
    }
    assertEquals("apples", one.get("/", cookie, GET).body());
  }

  @Test
  void every_request_of_a_kept_connection_is_guarded_anew() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    try (Wire wire = new Wire(one)) {
      for (int i = 0; i < 5; i++) {
        String value = "" + i;
        one.work = (q, a) -> q.getSession().setAttribute("cart", value);
        int saves = one.store.count("save");
        assertTrue(wire.ask("GET", cookie).startsWith("HTTP/1.1 200 "));
        assertEquals(saves + 1, one.store.count("save"));
        assertEquals(value, two.get("/", cookie, GET).body());
      }
    }
  }
}
