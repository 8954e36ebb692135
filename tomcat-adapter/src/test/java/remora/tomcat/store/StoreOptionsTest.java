package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Collections;
import org.junit.jupiter.api.Test;

/** What is made of the attributes of the Manager element. */
class StoreOptionsTest {

  private static String times(int count, String text) {
    return String.join("", Collections.nCopies(count, text));
  }

  private static String node(String given) {
    return new StoreOptions("h1:7400", given, 1).node();
  }

  @Test
  void a_node_name_is_cut_to_bytes_and_between_characters() {
    assertEquals("", node(""));
    assertEquals(times(64, "n"), node(times(64, "n")));
    assertEquals(times(64, "n"), node(times(65, "n")));
    assertEquals(times(32, "\u00e4"), node(times(40, "\u00e4")));
    assertEquals("n" + times(31, "\u00e4"), node("n" + times(40, "\u00e4")));
    assertEquals("n" + times(15, "\uD83D\uDC1F"), node("n" + times(16, "\uD83D\uDC1F")));
  }
}
