package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import remora.tomcat.store.StoreState;

/**
 * When the store counts as led, sought or away. Each line of a script is the time in seconds, what
 * happens, and how the store stands then; the store timeout is 5 s, and time passes in quarters of
 * a second unless the process stands still.
 */
class OutageTest {

  /** The store timeout of the scripts, in nanoseconds. */
  private static final long TIMEOUT_NANOS = TimeUnit.SECONDS.toNanos(5);

  /** So often time passes between two lines, in nanoseconds: well below a pause. */
  private static final long STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

  private final Outage outage = new Outage(Arrays.asList("a", "b"), 0);
  private long now;

  private void script(String... lines) {
    for (String line : lines) {
      String[] words = line.trim().split("\\s+");
      long until = (long) (Double.parseDouble(words[0]) * TimeUnit.SECONDS.toNanos(1));
      if (words[1].equals("pause")) {
        now = until;
        outage.step(now, false, TIMEOUT_NANOS);
      } else {
        pass(until);
        happen(words);
      }
      outage.step(now, words[1].equals("slept"), TIMEOUT_NANOS);
      assertEquals(words[words.length - 1], outage.state().toString(), line);
    }
  }

  private void pass(long until) {
    while (until - now > 0) {
      now += Math.min(STEP_NANOS, until - now);
      outage.step(now, false, TIMEOUT_NANOS);
    }
  }

  private void happen(String[] words) {
    switch (words[1]) {
      case "welcome":
        outage.welcomed(now);
        break;
      case "confirm":
        outage.confirmed(now);
        break;
      case "lost":
        outage.lost(now, words.length > 3);
        break;
      case "tried":
        for (int i = 2; i < words.length - 1; i++) {
          outage.attempted(words[i], now - STEP_NANOS);
        }
        break;
      case "slept":
      case "nothing":
        break;
      default:
        throw new IllegalArgumentException(words[1]);
    }
  }

  @Test
  void an_election_is_a_search_and_no_outage() {
    script(
        "0.1 nothing SEEKING",
        "0.2 welcome LED",
        "0.3 confirm LED",
        "60  lost SEEKING",
        "60.5 tried a a a b b b SEEKING",
        "64.9 nothing SEEKING",
        "64.95 welcome LED",
        "66 confirm LED",
        "70 lost SEEKING",
        "74.9 tried a a a b b b SEEKING");
  }

  @Test
  void away_needs_both_the_time_and_three_attempts_everywhere() {
    script(
        "1 tried a a a b b SEEKING",
        "6 nothing SEEKING",
        "7 tried a a SEEKING",
        "8 tried b AWAY",
        "99 nothing AWAY");
  }

  @Test
  void away_needs_the_time_whatever_was_tried() {
    script("1 tried a a a a b b b b SEEKING", "4.75 nothing SEEKING", "5 nothing AWAY");
  }

  @Test
  void a_pause_is_no_time_without_a_store_and_asks_for_new_attempts() {
    script(
        "4 tried a a a b b b SEEKING",
        "50 pause SEEKING",
        "50.5 tried a a b b SEEKING",
        "60 nothing SEEKING",
        "61 tried a b AWAY");
  }

  @Test
  void a_machine_that_slept_is_a_pause_though_the_clock_stood_still() {
    script("4 tried a a a b b b SEEKING", "4.5 slept SEEKING", "9 nothing SEEKING");
  }

  @Test
  void an_attempt_begun_before_a_pause_says_nothing() {
    script("1 nothing SEEKING", "50 pause SEEKING", "50.1 tried a a a b b b SEEKING");
    pass(TimeUnit.SECONDS.toNanos(60));
    assertEquals("SEEKING", outage.state().toString());
  }

  @Test
  void welcomes_that_no_majority_confirms_do_not_end_a_search() {
    script(
        "2 welcome LED",
        "3 lost SEEKING",
        "3.1 tried a b SEEKING",
        "4 welcome LED",
        "5 lost SEEKING",
        "5.1 tried a a b b AWAY",
        "6 welcome AWAY",
        "7 lost AWAY",
        "8 welcome AWAY",
        "8.1 confirm LED");
  }

  @Test
  void the_state_says_since_when_and_whether_across_a_pause() {
    script("1 welcome LED", "1.5 confirm LED", "10 lost across SEEKING");
    StoreState lost = outage.state();
    assertEquals(TimeUnit.SECONDS.toNanos(10), lost.sinceNanos());
    assertTrue(lost.isAcrossPause());
    script("11 welcome LED", "12 lost SEEKING", "17 tried a a a b b b AWAY");
    assertEquals(lost.sinceNanos(), outage.state().sinceNanos(), "one outage");
    assertTrue(outage.state().isAcrossPause());
    script("18 welcome AWAY", "18.5 confirm LED", "20 lost SEEKING");
    assertFalse(outage.state().isAcrossPause(), "another stream");
  }

  @Test
  void a_pause_in_an_outage_asks_for_new_attempts_and_for_no_more_time() {
    script(
        "6 tried a a a b b b AWAY",
        "50 pause SEEKING",
        "50.5 tried a a b b SEEKING",
        "51 tried a b AWAY",
        "52 slept SEEKING",
        "52.5 tried a a a b b b AWAY");
    assertFalse(outage.state().isAcrossPause());
  }
}
