package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import javax.servlet.http.HttpSession;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Work;

/** What the store hears of sessions while no response waits for it. */
class BetweenRequestsTest extends TwoTomcats {

  private static final Work READ =
      (q, a) -> a.getWriter().print(q.getSession().getAttribute("cart"));

  private String cookie;

  @BeforeEach
  void begin() throws Exception {
    cookie = one.get("/", null, SET).cookie();
  }

  private RemoraSession session() {
    return (RemoraSession) one.manager.findSessions()[0];
  }

  @Test
  void a_session_that_is_used_shortly_before_its_limit_is_touched_at_once() throws Exception {
    one.get("/", cookie, (q, a) -> q.getSession().setMaxInactiveInterval(60));
    one.passTime(55);
    long began = System.nanoTime();
    one.get("/", cookie, READ);
    Conditions.await("touch of this session", () -> one.store.touched(session().held().key()) > 0);
    long waited = (System.nanoTime() - began) / 1_000_000;
    assertEquals(true, waited < RemoraManager.TOUCH_MILLIS, "only after " + waited + " ms");
  }

  @Test
  void a_change_outside_requests_is_stored() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    one.get("/", cookie, (q, a) -> kept[0] = q.getSession());
    Conditions.await("end of the request", () -> !session().held().isUsed());
    int saves = one.store.count("save");
    kept[0].setAttribute("cart", "pears");
    Conditions.await("save", () -> one.store.count("save") > saves);
    Conditions.await("landing", () -> !session().held().isOpen());
    assertEquals("pears", two.get("/", cookie, READ).body());
  }

  @Test
  void a_change_that_a_thread_makes_after_the_answer_is_stored() throws Exception {
    HttpSession[] kept = new HttpSession[1];
    one.get(
        "/",
        cookie,
        (q, a) -> {
          kept[0] = q.getSession();
          a.setContentLength(0);
          a.getOutputStream().close();
          kept[0].setAttribute("cart", "late");
        });
    Conditions.await("save", () -> !session().held().isOpen());
    assertEquals("late", two.get("/", cookie, READ).body());
  }
}
