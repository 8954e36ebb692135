package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * How the window follows round trips. Each line is how many groups are answered, after how many
 * milliseconds each, whether calls wait then, and the window afterwards.
 */
class GroupWindowTest {

  private final GroupWindow window = new GroupWindow();
  private long now = 1;

  private void script(String... lines) {
    for (String line : lines) {
      String[] words = line.trim().split("\\s+");
      for (int i = 0; i < Integer.parseInt(words[0]); i++) {
        long millis = Long.parseLong(words[1]);
        now += TimeUnit.MILLISECONDS.toNanos(millis);
        window.answered(TimeUnit.MILLISECONDS.toNanos(millis), words[2].equals("waiting"), now);
      }
      assertEquals(Integer.parseInt(words[3]), window.limit(), line);
    }
  }

  @Test
  void while_nothing_waits_it_stays() {
    script("100 1 alone 4", "100 50 alone 4", "100 1 alone 4");
  }

  @Test
  void round_trips_that_grow_while_calls_wait_close_it_one_by_one() {
    script(
        "1 1 alone 4",
        "3 5 waiting 3",
        "3 5 waiting 2",
        "2 5 waiting 1",
        "1 5 waiting 1",
        "100 5 waiting 1");
  }

  @Test
  void round_trips_near_the_best_open_it() {
    script("4 1 waiting 5", "5 1 waiting 6", "6 1 waiting 7", "7 1 waiting 8", "99 1 waiting 8");
  }

  @Test
  void between_half_and_twice_more_it_stays() {
    script("1 10 alone 4", "99 18 waiting 4");
  }

  @Test
  void it_decides_once_in_a_round_trip_by_all_of_its_groups() {
    script("3 100 waiting 4", "1 1 waiting 3", "2 1 waiting 3", "1 1 waiting 4");
  }

  @Test
  void a_store_that_has_become_slower_is_known_after_a_while() {
    script("1 1 alone 4", "100 20 waiting 1", "600 20 waiting 8");
  }
}
