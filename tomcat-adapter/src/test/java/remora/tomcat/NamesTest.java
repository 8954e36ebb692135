package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.URLEncoder;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Node;

/** Names and limits that an application may choose are its own, as under Tomcat's own manager. */
class NamesTest extends ManyClients {

  private static final String[] NAMES = {
    "\0login",
    "\0idle",
    "\0",
    "remora.form",
    "remora.principal",
    "",
    "a b\u00e4\u4e2d",
    "\ud83d\ude00"
  };

  private static final int[] LIMITS = {0, -1, -5, 1, 1800, Integer.MAX_VALUE};

  private String shownUnder(Node node, String name) throws Exception {
    return shown(node, URLEncoder.encode(name, "UTF-8"));
  }

  private static String shown(String name) {
    return name.replace('\0', '0');
  }

  @Test
  void an_attribute_of_any_name_is_the_applications() throws Exception {
    for (String name : NAMES) {
      pages.page("sets", (q, a) -> q.getSession().setAttribute(name, "value"));
      pages.page("removes", (q, a) -> q.getSession().removeAttribute(name));
      pages.page(
          "counts",
          (q, a) ->
              a.getWriter()
                  .print(Collections.list(q.getSession().getAttributeNames()).contains(name)));
      assertAnswered(page(one, "sets"));
      assertEquals("value", shownUnder(two, name), shown(name));
      assertEquals("true", page(two, "counts").body(), shown(name));
      assertEquals("value", shownUnder(one, name), shown(name));
      assertAnswered(page(one, "removes"));
      assertEquals("null", shownUnder(two, name), shown(name));
      assertEquals("false", page(two, "counts").body(), shown(name));
    }
    assertEquals("apples", shown(two, "cart"));
  }

  @Test
  void an_attribute_of_any_name_disturbs_neither_login_nor_limit() throws Exception {
    for (String name : NAMES) {
      pages.page(
          "sets",
          (q, a) -> {
            q.getSession().setAttribute(name, "value");
            q.getSession().setMaxInactiveInterval(77);
          });
      assertAnswered(page(one, "sets"));
    }
    pages.page("limit", (q, a) -> a.getWriter().print(q.getSession().getMaxInactiveInterval()));
    assertEquals("77", page(two, "limit").body());
  }

  @Test
  void an_idle_limit_is_what_was_set_everywhere() throws Exception {
    pages.page("limit", (q, a) -> a.getWriter().print(q.getSession().getMaxInactiveInterval()));
    for (int seconds : LIMITS) {
      pages.page("sets", (q, a) -> q.getSession().setMaxInactiveInterval(seconds));
      assertAnswered(page(one, "sets"));
      assertEquals("" + seconds, page(one, "limit").body());
      assertEquals("" + seconds, page(two, "limit").body());
      assertEquals("" + seconds, page(one, "limit").body());
    }
    tomcats.table.passTime(10_000);
    assertEquals("apples", shown(two, "cart"));
  }
}
