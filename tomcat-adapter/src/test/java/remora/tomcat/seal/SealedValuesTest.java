package remora.tomcat.seal;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.codec.AttributeCodec;
import remora.tomcat.codec.ClassFilter;
import remora.tomcat.codec.Closed;
import remora.tomcat.codec.Encoded;
import remora.tomcat.codec.Undecodable;
import remora.tomcat.store.CommandOutcome;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SaveOutcome;
import remora.tomcat.store.SessionChange;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/** What the store holds, and what can be made of it by whom. */
class SealedValuesTest {

  private static final String K1 = TestKeys.line("k1", 1);
  private static final String K2 = TestKeys.line("k2", 2);
  private static final byte[] APPLES = "apples".getBytes(UTF_8);

  @TempDir Path directory;

  private final FakeStore.Shared shared = new FakeStore.Shared();
  private final FakeStore behind = new FakeStore(shared);
  private final AttributeCodec codec =
      new AttributeCodec(getClass().getClassLoader(), new ClassFilter(null), () -> 1_000);

  private static SessionKey key(String application, int id) {
    byte[] hash = new byte[SessionKey.HASH_BYTES];
    hash[hash.length - 1] = (byte) id;
    return new SessionKey(application, hash);
  }

  private static SessionKey key(int id) {
    return key("localhost/shop", id);
  }

  private SealedStore with(String... lines) {
    return new SealedStore(behind, TestKeys.file(directory, lines));
  }

  private static SaveOutcome create(SessionStore store, SessionKey key) {
    SessionChange cart = SessionChange.of(0, 0).maxIdleSeconds(1800).set("cart", 7, APPLES).build();
    SaveOutcome created = store.save(store.nextSerial(), key, cart);
    assertEquals(SaveOutcome.Kind.SAVED, created.kind());
    return created;
  }

  private static StoredAttribute read(SessionStore store, SessionKey key, String name) {
    StoredSession record = store.claim(store.nextSerial(), key).session();
    return record.attributes().stream()
        .filter(each -> each.name().equals(name))
        .findAny()
        .orElseThrow(AssertionError::new);
  }

  private static StoredAttribute read(SessionStore store, SessionKey key) {
    return read(store, key, "cart");
  }

  /** Puts bytes into the store as one who can write it. */
  private void plant(SessionKey key, String name, int type, byte[] bytes) {
    StoredSession record = behind.claim(behind.nextSerial(), key).session();
    SessionChange change =
        SessionChange.of(record.epoch(), record.version()).set(name, type, bytes).build();
    assertEquals(SaveOutcome.Kind.SAVED, behind.save(behind.nextSerial(), key, change).kind());
  }

  private static void assertOpen(StoredAttribute value) {
    assertEquals(7, value.type());
    assertArrayEquals(APPLES, value.bytes());
  }

  private void assertClosed(String why, StoredAttribute value) {
    assertTrue(Closed.is(value.type()));
    Undecodable hidden = (Undecodable) codec.decode(value.type(), value.bytes());
    assertTrue(hidden.cause().getMessage().contains(why), hidden.cause().getMessage());
  }

  private void assertClosed(StoredAttribute value) {
    assertClosed("for another place, or changed since", value);
  }

  @Test
  void the_store_is_told_nothing_of_a_value() {
    SealedStore store = with(K1);
    create(store, key(1));
    StoredAttribute seen = read(behind, key(1));
    assertEquals(Closed.SEALED, seen.type());
    assertFalse(new String(seen.bytes(), ISO_8859_1).contains("apples"));
    assertEquals(33 + "k1".length(), seen.bytes().length - APPLES.length);
    assertOpen(read(store, key(1)));
    create(store, key(2));
    assertNotEquals(Arrays.toString(seen.bytes()), Arrays.toString(read(behind, key(2)).bytes()));
  }

  /** It offers the session to somebody when it expires. */
  @Test
  void the_store_knows_which_values_listen() {
    SealedStore store = with(K1);
    int listens = 7 | Encoded.HEARS;
    SessionChange cart =
        SessionChange.of(0, 0).maxIdleSeconds(1800).set("cart", listens, APPLES).build();
    store.save(store.nextSerial(), key(1), cart);
    assertEquals(Closed.SEALED | Encoded.HEARS, read(behind, key(1)).type());
    assertEquals(listens, read(store, key(1)).type());
    StoredAttribute closed = read(with(K2), key(1));
    assertTrue(Closed.is(closed.type()));
    assertEquals(Closed.SEALED | Encoded.HEARS, Closed.original(closed.bytes()).type());
  }

  @Test
  void a_value_opens_in_its_place_alone() {
    SealedStore store = with(K1);
    create(store, key(1));
    create(store, key(2));
    byte[] cart = read(behind, key(1)).bytes();
    plant(key(2), "cart", Closed.SEALED, cart);
    plant(key(1), "user", Closed.SEALED, cart);
    assertClosed(read(store, key(2)));
    assertClosed(read(store, key("localhost/blog", 1))); // the fake knows no applications
    assertClosed(read(store, key(1), "user"));
    assertOpen(read(store, key(1)));
  }

  @Test
  void a_value_that_was_changed_does_not_open() {
    SealedStore store = with(K1, K2);
    create(store, key(1));
    byte[] cart = read(behind, key(1)).bytes();
    for (int i = 0; i < cart.length; i++) {
      byte[] changed = cart.clone();
      changed[i] ^= 1;
      plant(key(1), "cart", Closed.SEALED, changed);
      assertTrue(Closed.is(read(store, key(1)).type()), "byte " + i);
    }
    for (int length = 0; length < cart.length; length++) {
      plant(key(1), "cart", Closed.SEALED, Arrays.copyOf(cart, length));
      assertTrue(Closed.is(read(store, key(1)).type()), length + " bytes");
    }
    plant(key(1), "cart", Closed.SEALED, cart);
    assertOpen(read(store, key(1)));
  }

  @Test
  void what_does_not_open_goes_back_as_it_came_and_opens_with_its_key() {
    create(with(K1), key(1));
    byte[] cart = read(behind, key(1)).bytes();
    SealedStore other = with(K2);
    StoredSession record = other.claim(other.nextSerial(), key(1)).session();
    StoredAttribute closed = record.attributes().get(0);
    assertClosed("the key \"k1\", which encryptionKeys lacks", closed);
    SessionChange again =
        SessionChange.of(record.epoch(), record.version())
            .set("cart", closed.type(), closed.bytes())
            .build();
    other.save(other.nextSerial(), key(1), again);
    assertArrayEquals(cart, read(behind, key(1)).bytes());
    assertOpen(read(with(K2, K1), key(1)));
    assertClosed(read(with(TestKeys.line("k1", 2)), key(1)));
  }

  @Test
  void the_first_key_encrypts_and_all_open() {
    SealedStore before = with(K1, K2);
    create(before, key(1));
    SealedStore after = with(K2, K1);
    assertOpen(read(after, key(1)));
    create(after, key(2));
    assertEquals("k2", new String(read(behind, key(2)).bytes(), 1, 2, ISO_8859_1));
    assertOpen(read(before, key(2)));
  }

  @Test
  void values_survive_a_new_id() {
    SealedStore store = with(K1);
    SaveOutcome created = create(store, key(1));
    CommandOutcome renamed = store.rename(store.nextSerial(), key(1), key(2), created.epoch());
    assertEquals(CommandOutcome.Kind.DONE, renamed.kind());
    StoredSession record = store.claim(store.nextSerial(), key(2)).session();
    assertOpen(record.attributes().get(0));
    assertTrue(record.version() > renamed.version());
  }

  @Test
  void what_is_saved_under_the_id_before_opens_under_the_new_one() {
    SealedStore store = with(K1);
    SaveOutcome created = create(store, key(1));
    long version = store.rename(store.nextSerial(), key(1), key(2), created.epoch()).version();
    version = store.rename(store.nextSerial(), key(2), key(3), created.epoch()).version();
    SessionChange late = SessionChange.of(created.epoch(), version).set("late", 7, APPLES).build();
    assertEquals(SaveOutcome.Kind.SAVED, store.save(store.nextSerial(), key(2), late).kind());
    StoredSession found = store.check(key(2), created.epoch(), 0).session();
    found.attributes().forEach(SealedValuesTest::assertOpen);
    assertOpen(read(new SealedStore(behind, TestKeys.file(directory, K1)), key(3), "late"));
  }

  @Test
  void a_new_id_whose_second_half_was_not_answered_is_finished_by_its_repeat() {
    for (String lost : new String[] {"rename", "check", "save"}) {
      SealedStore store = with(K1);
      int id = 10 * (lost.length() + lost.charAt(0) % 5);
      SaveOutcome created = create(store, key(id));
      long serial = store.nextSerial();
      behind.answerLost = lost;
      StoreUnavailableException unknown =
          assertThrows(
              StoreUnavailableException.class,
              () -> store.rename(serial, key(id), key(id + 1), created.epoch()));
      assertEquals(StoreUnavailableException.Effect.POSSIBLE, unknown.effect());
      behind.answerLost = null;
      CommandOutcome renamed = store.rename(serial, key(id), key(id + 1), created.epoch());
      assertEquals(CommandOutcome.Kind.DONE, renamed.kind(), lost);
      assertOpen(read(store, key(id + 1)));
    }
  }

  @Test
  void a_new_id_of_a_session_that_is_another_tomcats_is_refused_as_ever() {
    SealedStore store = with(K1);
    SaveOutcome created = create(store, key(1));
    SealedStore other = new SealedStore(new FakeStore(shared), TestKeys.file(directory, K1));
    assertOpen(read(other, key(1)));
    CommandOutcome refused = store.rename(store.nextSerial(), key(1), key(2), created.epoch());
    assertEquals(CommandOutcome.Kind.FENCED, refused.kind());
    assertOpen(read(other, key(1)));
  }

  @Test
  void plaintext_is_believed_only_where_the_file_says_so() {
    SaveOutcome created = create(behind, key(1));
    assertClosed("is not encrypted", read(with(K1), key(1)));
    SealedStore tolerant = with(K1, "plaintext accepted");
    assertOpen(read(tolerant, key(1)));
    plant(key(1), "forged", Integer.MAX_VALUE, new byte[] {1, 0, 0});
    plant(key(1), "heard", -1, new byte[] {1, 0, 0});
    assertClosed("is not encrypted", read(tolerant, key(1), "forged"));
    assertClosed("is not encrypted", read(tolerant, key(1), "heard"));
    assertTrue(created.version() > 0);
    assertTrue(codec.decode(Closed.SEALED, APPLES) instanceof Undecodable);
  }

  /** Bytes that were written once are read for ever: FORMAT.md, "Encrypted attribute values". */
  @Test
  void the_fixture_opens() throws Exception {
    ByteArrayOutputStream fixture = new ByteArrayOutputStream();
    for (String line : Files.readAllLines(Paths.get("..", "formats", "sealed", "value.hex"))) {
      for (String digits : line.substring(10, 57).trim().split(" ")) {
        fixture.write(Integer.parseInt(digits, 16));
      }
    }
    Sealer sealer = new Sealer(Keys.parse(Arrays.asList(K1)), key("localhost/shop", 1));
    Encoded opened = sealer.open("cart", Closed.SEALED, fixture.toByteArray());
    assertEquals(7, opened.type());
    assertArrayEquals(APPLES, opened.bytes());
  }
}
