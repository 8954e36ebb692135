package remora.tomcat;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.catalina.LifecycleState;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.Tomcats.Work;
import remora.tomcat.codec.Closed;
import remora.tomcat.keeper.SessionIds;
import remora.tomcat.seal.TestKeys;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoredAttribute;

/** Pages notice nothing of {@code encryptionKeys}, and the store learns nothing of their values. */
class EncryptionTest {

  private static final String K1 = TestKeys.line("k1", 1);
  private static final String K2 = TestKeys.line("k2", 2);

  private static final Work LOG_IN =
      (q, a) -> {
        q.getSession().setAttribute("user", "ann");
        q.changeSessionId();
        a.getWriter().print("hello");
      };

  private static final Work BOTH =
      (q, a) ->
          a.getWriter()
              .print(
                  q.getSession().getAttribute("cart")
                      + " of "
                      + q.getSession().getAttribute("user"));

  @TempDir Path keys;

  private Tomcats tomcats;

  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
  }

  @AfterEach
  void stop() throws Exception {
    tomcats.close();
  }

  /** A Tomcat of the application; as a JVM has one of it at a time, the one before has stopped. */
  private Node start(String... lines) throws Exception {
    String file = TestKeys.write(keys, lines).toString();
    return tomcats.start("shop", null, node -> node.manager.setEncryptionKeys(file));
  }

  private Node next(Node before, String... lines) throws Exception {
    before.tomcat.stop();
    return start(lines);
  }

  private List<StoredAttribute> stored(Answer answer) {
    String id = SessionIds.bare(answer.cookie().replaceFirst("JSESSIONID=", ""));
    SessionKey key = new SessionIds("shop:localhost", null).key(id);
    FakeStore stranger = tomcats.stranger();
    return stranger.claim(stranger.nextSerial(), key).session().attributes();
  }

  @Test
  void a_session_goes_on_elsewhere_and_nothing_of_it_is_in_the_store() throws Exception {
    Node one = start(K1, K2);
    Answer set = one.get("/", null, TwoTomcats.SET);
    List<StoredAttribute> stored = stored(set);
    assertEquals(1, stored.size());
    assertEquals(Closed.SEALED, stored.get(0).type());
    assertFalse(new String(stored.get(0).bytes(), ISO_8859_1).contains("apples"));
    assertEquals("apples", one.get("/", set.cookie(), TwoTomcats.GET).body());
    Node two = next(one, K2, K1);
    assertEquals("apples", two.get("/", set.cookie(), TwoTomcats.GET).body());
  }

  @Test
  void values_of_before_a_login_are_there_after_it() throws Exception {
    Node one = start(K1);
    String cookie = one.get("/", null, TwoTomcats.SET).cookie();
    Answer in = one.get("/", cookie, LOG_IN);
    assertNotNull(in.cookie());
    assertNotEquals(cookie, in.cookie());
    assertEquals("apples of ann", one.get("/", in.cookie(), BOTH).body());
    Node two = next(one, K1);
    assertEquals("apples of ann", two.get("/", in.cookie(), BOTH).body());
    assertEquals(0, two.manager.getUndecodableValues());
  }

  @Test
  void a_change_in_place_is_found_and_one_that_is_none_is_not() throws Exception {
    Node one = start(K1);
    Answer set =
        one.get(
            "/",
            null,
            (q, a) -> {
              List<String> cart = new ArrayList<>();
              cart.add("pears");
              q.getSession().setAttribute("cart", cart);
            });
    Node two = next(one, K1);
    String cookie = set.cookie();
    assertEquals("[pears]", two.get("/", cookie, TwoTomcats.GET).body());
    two.get("/", cookie, TwoTomcats.GET);
    assertEquals(0, two.store.count("save"));
    two.get("/", cookie, (q, a) -> ((ArrayList<?>) q.getSession().getAttribute("cart")).clear());
    assertEquals(1, two.store.count("save"));
    assertEquals("[]", next(two, K1).get("/", cookie, TwoTomcats.GET).body());
  }

  @Test
  void what_is_planted_unencrypted_is_hidden_and_counted() throws Exception {
    Node plain = tomcats.start("plain", null);
    Node one = start(K1);
    String cookie = plain.get("/", null, TwoTomcats.SET).cookie();
    assertEquals("null", one.get("/", cookie, TwoTomcats.GET).body());
    assertEquals(1, one.manager.getUndecodableValues());
    assertEquals("apples", plain.get("/", cookie, TwoTomcats.GET).body());
    String later = plain.get("/", null, TwoTomcats.SET).cookie();
    TestKeys.write(keys, K1, "plaintext accepted");
    one.manager.backgroundProcess();
    assertEquals("apples", one.get("/", later, TwoTomcats.GET).body());
  }

  @Test
  void a_file_that_cannot_be_used_starts_no_application() throws Exception {
    Node broken = start("k1 AAAA");
    assertNotEquals(LifecycleState.STARTED, broken.context.getState());
    assertFalse(broken.manager.getState().isAvailable());
  }

  @Test
  void ids_are_hashed_under_the_files_key_and_no_other() throws Exception {
    ManagerOptions options = new ManagerOptions();
    options.encryptionKeys = TestKeys.write(keys, K1, TestKeys.line("ids", 9)).toString();
    assertEquals(9, options.secret(options.valueKeys())[0]);
    options.key = "sixteen bytes or more";
    assertThrows(IllegalArgumentException.class, () -> options.secret(options.valueKeys()));
    options.encryptionKeys = TestKeys.write(keys, K1).toString();
    assertTrue(options.secret(options.valueKeys()).length > 16);
  }
}
