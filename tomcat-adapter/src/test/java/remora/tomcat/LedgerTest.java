package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LedgerTest {

  private static EncodedValue.Fingerprint fingerprint(String text) {
    return new EncodedValue(1, text.getBytes()).fingerprint();
  }

  @Test
  void a_change_keeps_the_base_at_which_it_was_first_made() {
    Ledger ledger = new Ledger();
    ledger.own(5, 1, 1);
    ledger.mark("cart", 0);
    ledger.own(9, 8, 1); // claimed again, and somebody else had changed the cart
    ledger.rebaseMarks(Collections.singleton("cart"));
    ledger.mark("cart", 0);
    ledger.mark("user", 0);
    Map<String, Long> marks = ledger.takeMarks();
    assertEquals(5L, marks.get("cart"));
    assertEquals(9L, marks.get("user"));
    assertFalse(ledger.hasMarks());
  }

  @Test
  void a_change_that_nobody_else_touched_moves_to_the_newer_copy() {
    Ledger ledger = new Ledger();
    ledger.own(5, 1, 1);
    ledger.mark("cart", 0);
    ledger.own(9, 8, 1);
    ledger.rebaseMarks(Collections.singleton("other"));
    assertEquals(9L, ledger.takeMarks().get("cart"));
  }

  @Test
  void what_a_failed_save_leaves_in_doubt_is_newer_in_any_record() {
    Ledger ledger = new Ledger();
    ledger.know("cart", 5, fingerprint("apples"));
    ledger.know("user", 5, fingerprint("ann"));
    assertFalse(ledger.isNewer("cart", 5));
    ledger.mark("cart", 0);
    ledger.discard(Collections.<String>emptySet());
    assertTrue(ledger.isNewer("cart", 5));
    assertFalse(ledger.isNewer("user", 5));
    assertFalse(ledger.hasMarks());
  }

  @Test
  void values_are_compared_by_type_and_bytes() {
    Ledger ledger = new Ledger();
    ledger.know("cart", 5, fingerprint("apples"));
    assertTrue(ledger.knows("cart", fingerprint("apples")));
    assertFalse(ledger.knows("cart", fingerprint("pears")));
    assertFalse(ledger.knows("cart", new EncodedValue(2, "apples".getBytes()).fingerprint()));
  }
}
