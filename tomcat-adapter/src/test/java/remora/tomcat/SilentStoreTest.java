package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;

/** What goes on while the store says nothing, or while it was found to be away. */
class SilentStoreTest extends ManyClients {

  private Node three;
  private final CountDownLatch silence = new CountDownLatch(1);

  @BeforeEach
  void startOneMore() throws Exception {
    three = tomcats.start("three", null);
    three.work = pages;
  }

  @AfterEach
  void endSilence() {
    silence.countDown();
  }

  @Test
  void a_request_without_a_cookie_is_answered_while_the_store_is_silent() throws Exception {
    pages.page("plain", (q, a) -> a.getWriter().print("plain"));
    three.store.silence = silence;
    assertEquals("plain", three.get("/?page=plain", null).body());
    assertEquals("none", three.get("/?page=get", null).body());
  }

  @Test
  void an_absurd_cookie_is_answered_while_the_store_is_silent() throws Exception {
    three.store.silence = silence;
    assertEquals("none", three.get("/?page=get", "JSESSIONID=../../etc/passwd").body());
  }

  @Test
  void a_known_outage_is_answered_at_once_with_effect_none() throws Exception {
    away(three);
    assertRefused(three.get("/?page=get", cookie), "none");
    three.store.silence = silence; // whoever asked now would wait
    Answer refused = answered(ask(three, "get"));
    assertRefused(refused, "none");
    assertNull(refused.cookie());
    three.store.silence = null;
    back(three);
    Conditions.await("return", () -> three.get("/?page=get", cookie).status() == 200);
    assertEquals("apples", three.get("/?page=get", cookie).body());
  }
}
