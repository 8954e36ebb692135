package remora.tomcat.keeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class SessionIdsTest {

  private static final String ID = "0123456789ABCDEF0123456789ABCDEF";

  @Test
  void the_bare_id_ends_at_the_first_dot() {
    assertEquals(ID, SessionIds.bare(ID));
    assertEquals(ID, SessionIds.bare(ID + ".n1"));
    assertEquals(ID, SessionIds.bare(ID + ".n1.example"));
    assertEquals(ID + ".n2", SessionIds.withRoute(ID + ".n1.example", "n2"));
    assertEquals(ID + ".n1", SessionIds.withRoute(ID + ".n1", null));
  }

  @Test
  void the_key_is_the_first_half_of_sha_256_of_the_bare_id() {
    // printf 0123456789ABCDEF0123456789ABCDEF | sha256sum
    assertEquals(
        "shop:localhost/cart/cd6c1f7d1dc6717d6371d2647910ca71",
        new SessionIds("shop:localhost/cart", null).key(ID).toString());
  }

  @Test
  void a_secret_changes_every_key() {
    byte[] secret = "a secret of 16 bytes or more".getBytes(StandardCharsets.UTF_8);
    assertNotEquals(new SessionIds("a", null).key(ID), new SessionIds("a", secret).key(ID));
    assertEquals(new SessionIds("a", secret).key(ID), new SessionIds("a", secret).key(ID));
  }

  @Test
  void only_ids_that_a_generator_could_have_made_are_looked_up() {
    assertTrue(SessionIds.isPlausible(ID));
    assertTrue(SessionIds.isPlausible(ID + ".n1"));
    assertTrue(SessionIds.isPlausible(ID + ".node-1.example_a"));
    assertTrue(SessionIds.isPlausible(ID + ".node:1"));
    assertTrue(SessionIds.isPlausible("aB3-_678"));
    String[] absurd = {
      "",
      ".",
      ".n1",
      "1234567",
      ID + ".n 1",
      ID + ".<b>",
      ID + ".\u00e4",
      ID + "\u00e4",
      "../../../../etc/passwd",
      ID + "%00",
      ID.replace('0', '\u0660'),
    };
    for (String id : absurd) {
      assertFalse(SessionIds.isPlausible(id), id);
    }
    StringBuilder longId = new StringBuilder();
    for (int i = 0; i < SessionIds.BARE_CHARS_MAX; i++) {
      longId.append('a');
    }
    assertTrue(SessionIds.isPlausible(longId.toString()));
    assertFalse(SessionIds.isPlausible(longId.append('a').toString()));
    while (longId.length() < SessionIds.ID_CHARS_MAX - ID.length() - 1) {
      longId.append('a');
    }
    assertTrue(SessionIds.isPlausible(ID + "." + longId));
    assertFalse(SessionIds.isPlausible(ID + ".a" + longId));
  }
}
