package remora.tomcat.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Every name of an application's attribute survives the store, and none is taken for ours. */
class StoredNamesTest {

  private static final String LETTERS = "\0\0\uD83D\uDED2\uDED2ad83.";

  @Test
  void names_of_every_day_are_stored_as_they_are() {
    for (String name : Arrays.asList("", "cart", "remora.form", "a\0b", "\u00fcml \uD83D\uDED2")) {
      assertEquals(name, StoredNames.ofApplication(name));
      assertEquals(name, StoredNames.toApplication(name));
    }
  }

  @Test
  void a_name_of_ours_is_no_applications() {
    String login = StoredNames.hidden("login");
    assertEquals("\0login", login);
    assertTrue(StoredNames.isHidden(login));
    String theirs = StoredNames.ofApplication(login);
    assertFalse(StoredNames.isHidden(theirs));
    assertEquals(login, StoredNames.toApplication(theirs));
  }

  @Test
  void any_two_names_are_two_in_the_store_and_come_back_through_its_encoding() {
    Random random = new Random(20261125);
    Map<String, String> names = new HashMap<>();
    for (int round = 0; round < 200_000; round++) {
      StringBuilder name = new StringBuilder();
      for (int length = random.nextInt(9); length > 0; length--) {
        name.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
      }
      String stored = StoredNames.ofApplication(name.toString());
      String back = new String(stored.getBytes(UTF_8), UTF_8);
      assertFalse(StoredNames.isHidden(back));
      assertEquals(name.toString(), StoredNames.toApplication(back));
      String other = names.put(stored, name.toString());
      assertTrue(other == null || other.contentEquals(name), "two names as one");
    }
  }

  @Test
  void what_nobody_has_escaped_is_left_as_it_is() {
    for (String stored :
        Arrays.asList("\0\0plain", "\0\0\0", "\0\0\0zzzz", "\0\0\0d8", "\0\0a\0")) {
      assertEquals(stored, StoredNames.toApplication(stored));
    }
  }
}
