package remora.tomcat.keeper;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class PauseTickerTest {

  private static final long SECOND = 1_000_000_000L;

  private final PauseTicker ticker = new PauseTicker(0, 0);

  private void run(long untilNanos) {
    for (long now = 0; now <= untilNanos; now += SECOND / 10) {
      ticker.tick(now, now / 1_000_000);
    }
  }

  @Test
  void a_process_that_ran_all_the_time_saw_no_pause() {
    run(5 * SECOND);
    assertFalse(ticker.pausedSince(0, 5 * SECOND, 5_000));
  }

  @Test
  void a_pause_counts_for_requests_that_began_before_its_end_only() {
    run(SECOND);
    ticker.tick(4 * SECOND, 4_000);
    assertTrue(ticker.pausedSince(SECOND, 4 * SECOND, 4_000));
    assertFalse(ticker.pausedSince(4 * SECOND + 1, 4 * SECOND + 2, 4_000));
  }

  @Test
  void a_pause_is_seen_even_before_the_ticker_itself_has_woken() {
    run(SECOND);
    assertTrue(ticker.pausedSince(SECOND, 3 * SECOND, 3_000));
  }

  @Test
  void a_machine_that_slept_is_seen_by_the_wall_clock() {
    run(SECOND);
    assertTrue(ticker.pausedSince(SECOND, SECOND + 1, 60_000));
  }
}
