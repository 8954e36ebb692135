package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What follows from the store's durations, and every order that they must keep. */
class DurationsTest {

  private static Durations of(int trust, int evictedWithin, int confirmEvery) {
    return Durations.of(
        remora.proto.v1.Durations.newBuilder()
            .setTrustMs(trust)
            .setEvictedWithinMs(evictedWithin)
            .setConfirmEveryMs(confirmEvery)
            .build());
  }

  private static void assertRefused(String because, int trust, int evicted, int confirm) {
    String sentence =
        assertThrows(IllegalArgumentException.class, () -> of(trust, evicted, confirm))
            .getMessage();
    assertTrue(sentence.contains(because), sentence);
    assertTrue(sentence.contains("releases of store and adapter"), sentence);
  }

  @Test
  void what_the_adapter_does_follows_from_what_the_store_says() {
    Durations today = of(1_000, 100, 200);
    assertEquals(TimeUnit.MILLISECONDS.toNanos(1_000), today.trustNanos());
    assertEquals(TimeUnit.MILLISECONDS.toNanos(750), today.silenceNanosMax());
    Durations longer = of(4_000, 300, 500);
    assertEquals(TimeUnit.MILLISECONDS.toNanos(4_000), longer.trustNanos());
    assertEquals(TimeUnit.MILLISECONDS.toNanos(3_000), longer.silenceNanosMax());
  }

  @Test
  void a_store_that_says_no_durations_is_refused() {
    assertRefused("nothing", 0, 0, 0);
    assertRefused("nothing", 1_000, 100, 0);
    assertRefused("nothing", 1_000, 0, 200);
  }

  @Test
  void a_leader_speaks_twice_before_it_is_taken_for_silent() {
    of(1_000, 100, 374);
    assertRefused("taken for silent", 1_000, 100, 375);
  }

  @Test
  void a_pause_that_outlasts_trust_is_one_that_is_noticed() {
    assertRefused("must be noticed", 999, 100, 200);
  }

  @Test
  void numbers_are_unsigned_as_on_the_wire() {
    assertEquals(TimeUnit.MILLISECONDS.toNanos(0xffff_ffffL), of(-1, 100, 200).trustNanos());
  }
}
