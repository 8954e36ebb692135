package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class FailureLogTest {

  private static final long SECOND = 1_000_000_000L;

  private final FailureLog log = new FailureLog();

  private String line(long now, String reason) {
    return log.line(now, "GET /cart of shop is answered 503", reason);
  }

  @Test
  void only_repeats_of_the_same_reason_are_quiet() {
    assertTrue(line(0, "big-thing is too big").endsWith(": big-thing is too big"));
    assertNull(line(1, "big-thing is too big"));
    assertTrue(line(2, "odd-thing is odd").endsWith(": odd-thing is odd"));
    assertNull(line(3, "big-thing is too big"));
    String later = line(SECOND, "big-thing is too big");
    assertTrue(later.endsWith(" (and 2 more since the line before)"), later);
    assertNull(line(SECOND + 1, "odd-thing is odd"));
    assertTrue(line(2 * SECOND, "big-thing is too big").endsWith("too big"));
  }

  @Test
  void no_more_reasons_are_kept_than_the_limit() {
    for (int i = 0; i <= FailureLog.REASONS_MAX; i++) {
      assertNotNull(line(i, "reason " + i));
    }
    assertNull(line(100, "reason 1"));
    assertNotNull(line(101, "reason 0"), "the oldest has made room");
    assertNotNull(line(102, "reason 1"), "and then the next");
  }

  @Test
  void nobody_outside_writes_a_line_of_the_log() {
    assertEquals(
        "GET /a?WARN forged: b?c?d", log.line(0, "GET /a\nWARN forged", "b\u2028c\u001bd"));
  }
}
