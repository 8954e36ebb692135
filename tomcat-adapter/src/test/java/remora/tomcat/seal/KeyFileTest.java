package remora.tomcat.seal;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.LogLines;

/** What a key file may say, and how another one takes its place. */
class KeyFileTest {

  private static final String K1 = TestKeys.line("k1", 1);
  private static final String K2 = TestKeys.line("k2", 2);

  @TempDir Path directory;

  private void assertFault(String part, String... lines) {
    IllegalArgumentException fault =
        assertThrows(IllegalArgumentException.class, () -> TestKeys.file(directory, lines));
    assertTrue(fault.getMessage().contains(part), fault.getMessage());
    assertTrue(fault.getMessage().startsWith("encryptionKeys=\""), fault.getMessage());
    assertFalse(fault.getMessage().contains(K1.substring(5)), "a key in a message");
  }

  @Test
  void the_first_key_is_the_one_that_encrypts() {
    Keys keys = Keys.parse(Arrays.asList("# made in May", "", K2 + "  # since June", K1));
    assertEquals("k2", keys.first());
    assertEquals(1, keys.key("k1")[0]);
    assertNull(keys.key("k3"));
    assertNull(keys.ids());
    assertFalse(keys.acceptsPlaintext());
    keys = Keys.parse(Arrays.asList(TestKeys.line("ids", 3), K1, "plaintext accepted"));
    assertEquals("k1", keys.first());
    assertEquals(3, keys.ids()[0]);
    assertTrue(keys.acceptsPlaintext());
  }

  @Test
  void what_is_wrong_with_a_file_names_the_line_and_no_key() {
    assertFault("holds no key", "# nothing");
    assertFault("holds no key", TestKeys.line("ids", 1));
    assertFault("line 2 has not two words", K1, "k2");
    assertFault("line 1 has no base64", "k1 +-+");
    assertFault("line 1 has a key of 3 bytes", "k1 AAAA");
    assertFault("line 2 uses a name a second time", K1, K1);
    assertFault("line 1 has no name", K1.replace("k1", "k:1"));
    assertFault(
        "line 3 names a second key for ids", "ids" + K1.substring(2), K2, "ids" + K1.substring(2));
    assertFault("can only say \"plaintext accepted\"", K1, "plaintext refused");
    assertThrows(IllegalArgumentException.class, () -> new KeyFile(directory.resolve("absent")));
  }

  @Test
  void another_file_takes_its_place_if_it_can_be_used() throws Exception {
    try (LogLines log = new LogLines()) {
      KeyFile file = TestKeys.file(directory, K1, TestKeys.line("ids", 3));
      file.look();
      assertEquals(0, log.saying("encryptionKeys").size());
      TestKeys.write(directory, K2, K1, TestKeys.line("ids", 3));
      file.look();
      assertEquals("k2", file.keys().first());
      assertEquals(1, log.saying("new values are encrypted under \"k2\"").size());

      TestKeys.write(directory, "nonsense");
      file.look();
      file.look();
      assertEquals("k2", file.keys().first());
      assertEquals(1, log.saying("read before go on", "not two words").size());

      TestKeys.write(directory, K1, TestKeys.line("ids", 4));
      file.look();
      assertEquals("k2", file.keys().first());
      byte[] ids = new byte[Keys.KEY_BYTES];
      Arrays.fill(ids, (byte) 3);
      assertArrayEquals(ids, file.ids());
      assertEquals(1, log.saying("another line \"ids\"").size());

      Files.delete(directory.resolve("keys"));
      file.look();
      assertEquals("k2", file.keys().first());
      assertEquals(1, log.saying("cannot be read").size());
    }
  }

  @Test
  void a_file_that_everybody_reads_is_named() throws Exception {
    try (LogLines log = new LogLines()) {
      Path file = Files.write(directory.resolve("open"), (K1 + "\n").getBytes(UTF_8));
      file.toFile().setReadable(true, false);
      new KeyFile(file);
      assertEquals(1, log.saying("open", "chmod o-r").size());
    }
  }
}
