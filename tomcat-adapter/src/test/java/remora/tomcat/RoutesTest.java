package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import org.apache.catalina.LifecycleException;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;

/** Whatever a Tomcat is called: its own ids are recognized, or it says why not. */
class RoutesTest extends TwoTomcats {

  @Test
  void odd_and_long_routes_are_recognized_here_and_elsewhere() throws Exception {
    String seventy = String.join("", Collections.nCopies(70, "r"));
    for (String route : new String[] {"node:1", seventy}) {
      Node node = tomcats.start("of-" + route.length(), route);
      String cookie = node.get("/", null, SET).cookie();
      assertTrue(cookie.endsWith("." + route), cookie);
      Answer again = node.get("/", cookie, GET);
      assertEquals("apples", again.body());
      assertNull(again.cookie());
      assertEquals("apples", two.get("/", cookie, GET).body());
    }
  }

  @Test
  void a_route_that_no_cookie_can_carry_is_refused_at_the_start_with_a_sentence() throws Exception {
    Node node = tomcats.start("odd", "semi;colon");
    assertFalse(node.context.getState().isAvailable());
    String said = assertThrows(LifecycleException.class, node.manager::start).getMessage();
    assertTrue(said.contains("the jvmRoute \"semi;colon\" decides"), said);
  }
}
