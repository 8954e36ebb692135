package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;

/** Ids that change: by a login beside a move, and to what the application chose. */
class ChosenIdTest extends ManyClients {

  /** Ids with no relation to that of any session, so that their keys lie anywhere. */
  private static final String[] CHOSEN = {
    "the-first-id-of-this-application",
    "ABCDEF0123456789ABCDEF0123456789",
    "another_id_of_32_characters_more",
    "0000000000000000000000000000000a"
  };

  private static String bare(String cookie) {
    return cookie.substring(cookie.indexOf('=') + 1);
  }

  private String shownTo(Tomcats.Node node, String id) throws Exception {
    return node.get("/?page=get", "JSESSIONID=" + id).body();
  }

  @Test
  void a_login_right_after_the_session_moved_is_answered() throws Exception {
    pages.page(
        "login",
        (q, a) -> {
          q.getSession();
          assertEquals("apples", shown(two, "cart"));
          q.changeSessionId();
        });
    Answer login = answered(ask(one, "login"));
    assertAnswered(login);
    assertNotNull(login.cookie());
    assertNotEquals(cookie, login.cookie());
    assertEquals("apples", shownTo(one, bare(login.cookie())));
    assertEquals("apples", shownTo(two, bare(login.cookie())));
    assertEquals("none", shownTo(one, bare(cookie)));
    assertEquals("none", shownTo(two, bare(cookie)));
  }

  @Test
  void a_login_right_after_the_session_moved_keeps_what_both_changed() throws Exception {
    pages.page(
        "login",
        (q, a) -> {
          q.getSession().setAttribute("mine", "1");
          assertAnswered(page(two, "set&name=theirs&value=2"));
          q.changeSessionId();
        });
    Answer login = answered(ask(one, "login"));
    assertAnswered(login);
    cookie = login.cookie();
    assertEquals("1", shown(two, "mine"));
    assertEquals("2", shown(two, "theirs"));
  }

  @Test
  void a_login_after_a_pause_does_not_take_the_session_back() throws Exception {
    pages.page(
        "login",
        (q, a) -> {
          q.getSession();
          assertEquals("apples", shown(two, "cart"));
          one.pause();
          q.changeSessionId();
        });
    Answer login = answered(ask(one, "login"));
    assertEquals(503, login.status(), login.text);
    assertNull(login.cookie());
    assertEquals("apples", shown(two, "cart"));
  }

  private static Work takes(Tomcats.Node node, String id) {
    return (q, a) ->
        node.manager.changeSessionId(node.manager.findSession(q.getSession().getId()), id);
  }

  @Test
  void a_new_session_takes_any_id_that_the_application_chooses() throws Exception {
    for (String id : CHOSEN) {
      pages.page(
          "creates",
          (q, a) -> {
            q.getSession().setAttribute("cart", "new");
            takes(one, id).serve(q, a);
          });
      assertAnswered(one.get("/?page=creates", null));
      assertEquals("new", shownTo(one, id));
      assertEquals("new", shownTo(two, id));
    }
  }

  @Test
  void a_session_with_a_record_takes_any_id_that_the_application_chooses() throws Exception {
    for (String id : CHOSEN) {
      pages.page(
          "renames",
          (q, a) -> {
            takes(one, id).serve(q, a);
            q.getSession().setAttribute("renamed", id);
          });
      String before = cookie;
      assertAnswered(page(one, "renames"));
      cookie = "JSESSIONID=" + id;
      for (Tomcats.Node node : new Tomcats.Node[] {one, two, one}) {
        assertEquals("apples", shown(node, "cart"));
        assertEquals(id, shown(node, "renamed"));
        assertEquals("none", node.get("/?page=get", before).body());
      }
    }
  }

  @Test
  void an_id_that_could_not_be_looked_up_is_not_taken() throws Exception {
    String[] said = new String[1];
    pages.page(
        "takes",
        (q, a) -> {
          try {
            takes(one, "no id").serve(q, a);
          } catch (IllegalArgumentException refused) {
            said[0] = refused.getMessage();
          }
        });
    assertAnswered(page(one, "takes"));
    assertEquals(true, said[0].contains("8 to 128 letters"), said[0]);
    assertEquals("apples", shown(two, "cart"));
  }

  @Test
  void an_id_that_is_in_use_is_not_taken() throws Exception {
    String other = one.get("/?page=set&value=other", null).cookie();
    pages.page("takes", takes(one, bare(other)));
    Answer answer = page(one, "takes");
    assertEquals(true, answer.status() >= 500, answer.text);
    assertEquals("other", shownTo(two, bare(other)));
    assertEquals("apples", shownTo(two, bare(cookie)));
  }
}
