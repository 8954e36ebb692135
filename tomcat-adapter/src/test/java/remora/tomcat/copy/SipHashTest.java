package remora.tomcat.copy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The hash is the published one, and fingerprints are equal for equal values only. */
class SipHashTest {

  /** The vectors of the reference implementation: the key is 0 to 15, each message 0 to n - 1. */
  @ParameterizedTest
  @CsvSource({
    "0, a3817f04ba25a8e66df67214c7550293",
    "1, da87c1d86b99af44347659119b22fc45",
    "7, a1f1ebbed8dbc153c0b84aa61ff08239",
    "8, 3b62a9ba6258f5610f83e264f31497b4",
    "15, 5493e99933b0a8117e08ec0f97cfc3d9",
    "16, 6ee2a4ca67b054bbfd3315bf85230577",
    "63, 5150d1772f50834a503e069a973fbd7c",
  })
  void the_hash_is_the_published_one(int length, String hash) {
    long[] halves = new SipHash(0x0706050403020100L, 0x0f0e0d0c0b0a0908L).of(upTo(length));
    String shown =
        String.format("%016x%016x", Long.reverseBytes(halves[0]), Long.reverseBytes(halves[1]));
    assertEquals(hash, shown);
  }

  private static byte[] upTo(int length) {
    byte[] message = new byte[length];
    for (int i = 0; i < length; i++) {
      message[i] = (byte) i;
    }
    return message;
  }

  @Test
  void a_fingerprint_is_of_type_and_every_byte() {
    Set<EncodedValue.Fingerprint> all = new HashSet<>();
    for (int length = 0; length < 40; length++) {
      assertEquals(
          new EncodedValue(1, upTo(length)).fingerprint(),
          new EncodedValue(1, upTo(length)).fingerprint());
      all.add(new EncodedValue(1, upTo(length)).fingerprint());
      for (int at = 0; at < length; at++) {
        byte[] other = upTo(length);
        other[at] ^= 0x40;
        all.add(new EncodedValue(1, other).fingerprint());
      }
    }
    assertEquals(40 + 39 * 40 / 2, all.size());
    assertNotEquals(
        new EncodedValue(1, upTo(8)).fingerprint(), new EncodedValue(100, upTo(8)).fingerprint());
  }
}
