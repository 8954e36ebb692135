package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What follows from the store's durations, and every order that they must keep. */
class DurationsTest {

  private static Durations of(int trust, int handover, int evictedWithin, int confirmEvery) {
    return Durations.of(
        remora.proto.v1.Durations.newBuilder()
            .setTrustMs(trust)
            .setHandoverMs(handover)
            .setEvictedWithinMs(evictedWithin)
            .setConfirmEveryMs(confirmEvery)
            .build());
  }

  private static void assertRefused(
      String because, int trust, int handover, int evicted, int confirm) {
    String sentence =
        assertThrows(IllegalArgumentException.class, () -> of(trust, handover, evicted, confirm))
            .getMessage();
    assertTrue(sentence.contains(because), sentence);
    assertTrue(sentence.contains("releases of store and adapter"), sentence);
  }

  @Test
  void what_the_adapter_does_follows_from_what_the_store_says() {
    Durations today = of(500, 1_000, 1_200, 100);
    assertEquals(TimeUnit.MILLISECONDS.toNanos(500), today.trustNanos());
    assertEquals(TimeUnit.MILLISECONDS.toNanos(375), today.silenceNanosMax());
    Durations longer = of(4_000, 1_000, 5_000, 500);
    assertEquals(TimeUnit.MILLISECONDS.toNanos(4_000), longer.trustNanos());
    assertEquals(TimeUnit.MILLISECONDS.toNanos(3_000), longer.silenceNanosMax());
  }

  @Test
  void a_store_that_says_no_durations_is_refused() {
    assertRefused("nothing", 0, 0, 0, 0);
    assertRefused("nothing", 500, 1_000, 1_200, 0);
    assertRefused("nothing", 500, 1_000, 0, 100);
  }

  @Test
  void a_leader_speaks_twice_before_it_is_taken_for_silent() {
    of(500, 1_000, 1_200, 187);
    assertRefused("taken for silent", 500, 1_000, 1_200, 188);
  }

  @Test
  void the_store_waits_for_an_owner_longer_than_that_one_trusts_and_hands_over() {
    of(1_199, 1_199, 1_200, 100);
    assertRefused("must wait for the previous owner", 1_200, 1_000, 1_200, 100);
    assertRefused("must wait for the previous owner", 500, 1_200, 1_200, 100);
  }

  @Test
  void a_pause_that_outlasts_a_handover_is_one_that_is_noticed() {
    assertRefused("must be noticed", 500, 999, 1_200, 100);
  }

  @Test
  void numbers_are_unsigned_as_on_the_wire() {
    Durations longest = of(-2, 1_000, -1, 200);
    assertEquals(TimeUnit.MILLISECONDS.toNanos(0xffff_fffeL), longest.trustNanos());
  }
}
