package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;

/** Two Tomcats of one application over one store in memory, anew for every test. */
abstract class TwoTomcats {

  static final Work SET =
      (request, response) -> {
        request.getSession().setAttribute("cart", "apples");
        response.getWriter().print("set");
      };

  static final Work GET =
      (request, response) ->
          response
              .getWriter()
              .print(
                  request.getSession(false) == null
                      ? "none"
                      : "" + request.getSession(false).getAttribute("cart"));

  Tomcats tomcats;
  Node one;
  Node two;

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    one = tomcats.start("one", null);
    two = tomcats.start("two", null);
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  static void assertRefused(Answer answer, String effect) {
    assertEquals(503, answer.status(), answer.text);
    assertNull(answer.header("Set-Cookie"), answer.text);
    assertEquals("", answer.body());
    assertEquals("0", answer.header("Content-Length"));
    assertNotNull(answer.header("Retry-After"));
    assertEquals(effect, answer.header("Remora-Effect"));
  }
}
