package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.Serializable;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;

/** Attributes between their bytes and their live values. */
class AttributesTest {

  /** Goes through Java serialization, and takes what holds it along. */
  private static final class Item implements Serializable {
    private static final long serialVersionUID = 1L;
    private int count = 1;
  }

  private Tomcats tomcats;
  private Node one;
  private Node two;
  private String cookie;

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    one = tomcats.start("one", null);
    two = tomcats.start("two", null);
    cookie = one.get("/", null, (q, a) -> q.getSession().setAttribute("cart", cart())).cookie();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  private static Map<String, Item> cart() {
    Map<String, Item> cart = new HashMap<>();
    cart.put("apples", new Item());
    return cart;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Item> cart(Object attribute) {
    return (Map<String, Item>) attribute;
  }

  @Test
  void reading_a_serialized_value_after_a_failover_is_no_change() throws Exception {
    Work read = (q, a) -> a.getWriter().print(cart(q.getSession().getAttribute("cart")).size());
    assertEquals("1", two.get("/", cookie, read).body());
    assertEquals("1", two.get("/", cookie, read).body());
    assertEquals(0, two.store.count("save"));
    two.get("/", cookie, (q, a) -> cart(q.getSession().getAttribute("cart")).get("apples").count++);
    assertEquals(1, two.store.count("save"));
  }

  @Test
  void a_value_that_another_tomcat_changed_twice_meanwhile_fails_no_request_that_only_read_it()
      throws Exception {
    Answer answer =
        one.get(
            "/",
            cookie,
            (q, a) -> {
              Work first = one.work;
              a.getWriter().print(cart(q.getSession().getAttribute("cart")).size());
              for (int i = 0; i < 2; i++) {
                two.get("/", cookie, (q2, a2) -> q2.getSession().setAttribute("cart", cart()));
                one.get("/", cookie, (q1, a1) -> q1.getSession()); // claims the session back
              }
              one.work = first;
            });
    assertEquals(200, answer.status());
    assertEquals("1", answer.body());
  }
}
