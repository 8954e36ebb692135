package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * The pulse of a stream, with time as data; {@code start} is near the end of what a long counts.
 */
class PulseTest {

  private static final long SILENCE = TimeUnit.MILLISECONDS.toNanos(375);
  private final long start = Long.MAX_VALUE - TimeUnit.SECONDS.toNanos(40);
  private final Pulse pulse = new Pulse(start);

  private long at(long millis) {
    return start + TimeUnit.MILLISECONDS.toNanos(millis);
  }

  private long patienceMillis(long millis) {
    return TimeUnit.NANOSECONDS.toMillis(pulse.patienceNanos(SILENCE, at(millis)));
  }

  private void confirmedProbe(long sentMillis, long heardMillis) {
    pulse.probed(at(sentMillis));
    pulse.heard(at(heardMillis));
    pulse.confirmed();
  }

  @Test
  void aStreamInUseIsProbedAgainAtOnceAndItsSilenceCounts() {
    confirmedProbe(0, 100);
    assertTrue(pulse.isProbeDue(at(100)));
    pulse.probed(at(101));
    assertFalse(pulse.isProbeDue(at(102)), "one is under way at a time");
    assertEquals(375, patienceMillis(101));
    assertTrue(patienceMillis(477) < 0);
  }

  @Test
  void aProbeThatCannotLeaveIsNoReasonToWaitForTheNode() {
    confirmedProbe(0, 100);
    assertTrue(patienceMillis(476) < 0);
  }

  @Test
  void aNodeThatSpeaksButConfirmsNothingIsLeft() {
    pulse.probed(at(0));
    pulse.heard(at(1_990));
    assertEquals(10, patienceMillis(1_990));
    assertTrue(patienceMillis(2_001) < 0);
  }

  @Test
  void anIdleStreamIsProbedSeldomAndIsSilentWithoutBeingLeft() {
    confirmedProbe(29_000, 29_100);
    assertFalse(pulse.isProbeDue(at(30_001)), "its use was half a minute ago");
    assertTrue(patienceMillis(33_900) > 0, "nobody asked the node for anything");
    assertFalse(pulse.isProbeDue(at(33_999)));
    assertTrue(pulse.isProbeDue(at(34_000)));
    pulse.probed(at(34_000));
    assertEquals(375, patienceMillis(34_000), "its silence counts from the probe");
    assertTrue(patienceMillis(34_376) < 0);
  }

  @Test
  void aStreamThatIsUsedAgainIsJudgedFromThatMoment() {
    confirmedProbe(29_000, 29_100);
    pulse.use(at(33_000));
    assertTrue(pulse.isProbeDue(at(33_000)));
    assertEquals(375, patienceMillis(33_000));
    pulse.probed(at(33_001));
    assertTrue(patienceMillis(33_377) < 0);
  }

  @Test
  void usesKeepAStreamBusyPastTheEndOfTheCounter() {
    pulse.use(at(20_000));
    confirmedProbe(45_000, 45_100);
    assertTrue(pulse.isProbeDue(at(45_100)));
    assertTrue(pulse.isProbeDue(at(49_999)));
    pulse.probed(at(49_999));
    pulse.confirmed();
    assertFalse(pulse.isProbeDue(at(50_000)), "idle again");
  }
}
