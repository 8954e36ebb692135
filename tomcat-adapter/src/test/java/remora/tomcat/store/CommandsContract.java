package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Every command of {@link SessionStore} with every kind of outcome, on any implementation. */
public abstract class CommandsContract extends SeamStage {

  private void assertCurrent(SessionKey key, long epoch, long version) {
    assertEquals(CheckOutcome.Kind.CURRENT, second.check(key, epoch, version).kind());
  }

  private static void assertFenced(SessionStore by, CommandOutcome outcome) {
    assertEquals(CommandOutcome.Kind.FENCED, outcome.kind());
    assertEquals(by.instance(), outcome.owner().instance());
  }

  private static void assertFenced(SessionStore by, SaveOutcome outcome) {
    assertEquals(SaveOutcome.Kind.FENCED, outcome.kind());
    assertEquals(by.instance(), outcome.owner().instance());
  }

  private static void assertKind(CommandOutcome.Kind kind, CommandOutcome outcome) {
    assertEquals(kind, outcome.kind());
  }

  @Test
  void only_a_save_of_epoch_0_creates() {
    SessionKey key = newKey();
    SaveOutcome none = save(first, key, SessionChange.of(3, 3).set("cart", 1, number(1)));
    assertEquals(SaveOutcome.Kind.GONE, none.kind());
    assertEquals(0, none.tombstone());
    assertEquals(ClaimOutcome.Kind.GONE, claim(first, key).kind());

    SaveOutcome created = create(first, key);
    assertEquals(SaveOutcome.Kind.SAVED, created.kind());
    assertTrue(created.version() > 0);
    assertEquals(created.version(), created.epoch());
    assertEquals(created.version(), created.createdVersion());
    assertTrue(created.merged().isEmpty());
    assertCurrent(key, created.epoch(), created.version());
    assertFenced(first, create(second, key));
  }

  @Test
  void a_claim_gives_the_whole_record_and_a_new_epoch() {
    SessionKey key = newKey();
    Login login =
        new Login("alice", Arrays.asList("buyer", "tester"), "FORM")
            .with(SessionDirectory.OIDC_SID, "7f3a");
    SessionChange.Builder creation =
        creation().set("user", 7, new byte[0]).set("cart", 1, new byte[] {5}).login(login);
    SaveOutcome created = save(first, key, creation);
    ClaimOutcome outcome = claim(second, key);
    assertEquals(ClaimOutcome.Kind.CLAIMED, outcome.kind());
    StoredSession record = outcome.session();
    assertEquals(second.instance(), record.owner().instance());
    assertFalse(record.owner().node().isEmpty());
    assertNotEquals(created.epoch(), record.epoch());
    assertTrue(record.version() > created.version());
    assertEquals(created.createdVersion(), record.createdVersion());
    assertEquals(1_000, record.createdMillis());
    assertEquals(2_000, record.lastAccessMillis());
    assertEquals(1800, record.maxIdleSeconds());
    assertEquals("alice", record.login().principal());
    assertEquals(Arrays.asList("buyer", "tester"), record.login().roles());
    assertEquals("FORM", record.login().authType());
    assertEquals("7f3a", record.login().labels().get(SessionDirectory.OIDC_SID));
    List<StoredAttribute> attributes = record.attributes();
    assertEquals(2, attributes.size());
    assertEquals("cart", attributes.get(0).name());
    assertEquals(1, attributes.get(0).type());
    assertEquals(created.version(), attributes.get(0).version());
    assertArrayEquals(new byte[] {5}, attributes.get(0).bytes());
    assertEquals("user", attributes.get(1).name());
    assertEquals(7, attributes.get(1).type());
    assertArrayEquals(new byte[0], attributes.get(1).bytes());
    assertCurrent(key, record.epoch(), record.version());
  }

  @Test
  void a_claim_finds_no_session_where_there_is_none_or_the_id_was_replaced() {
    SessionKey key = newKey();
    ClaimOutcome none = claim(first, key);
    assertEquals(ClaimOutcome.Kind.GONE, none.kind());
    assertEquals(0, none.tombstone());

    SaveOutcome created = create(first, key);
    SessionKey renamed = newKey();
    rename(first, key, renamed, created.epoch());
    assertEquals(ClaimOutcome.Kind.RENAMED, claim(second, key).kind());

    CommandOutcome removed = logout(first, renamed, created.createdVersion(), created.epoch());
    ClaimOutcome gone = claim(second, renamed);
    assertEquals(ClaimOutcome.Kind.GONE, gone.kind());
    assertEquals(removed.version(), gone.tombstone());
  }

  @Test
  void a_check_says_whether_a_copy_is_the_truth_and_what_is_instead() {
    SessionKey key = newKey();
    assertEquals(CheckOutcome.Kind.GONE, first.check(key, 1, 1).kind());
    SaveOutcome created = create(first, key);
    assertCurrent(key, created.epoch(), created.version());
    SaveOutcome saved = save(first, key, after(created).set("cart", 1, number(2)));
    CheckOutcome newer = first.check(key, created.epoch(), created.version());
    assertEquals(CheckOutcome.Kind.NEWER, newer.kind());
    assertEquals(saved.version(), newer.session().version());
    assertArrayEquals(number(2), newer.session().attributes().get(0).bytes());

    StoredSession record = claim(second, key).session();
    CheckOutcome moved = first.check(key, saved.epoch(), saved.version());
    assertEquals(CheckOutcome.Kind.MOVED, moved.kind());
    assertEquals(second.instance(), moved.owner().instance());

    SessionKey renamed = newKey();
    CommandOutcome rename = rename(second, key, renamed, record.epoch());
    assertCurrent(renamed, record.epoch(), rename.version());
    assertCurrent(key, record.epoch(), rename.version());
    assertEquals(
        CheckOutcome.Kind.RENAMED, first.check(key, saved.epoch(), saved.version()).kind());
    logout(second, renamed, record.createdVersion(), record.epoch());
    assertEquals(
        CheckOutcome.Kind.GONE, second.check(renamed, record.epoch(), rename.version()).kind());
  }

  @Test
  void a_save_changes_what_it_names_and_nothing_else() {
    SessionKey key = newKey();
    SaveOutcome created =
        save(first, key, creation().set("a", 1, number(1)).set("b", 1, number(1)));
    SaveOutcome saved =
        save(first, key, after(created).set("c", 1, number(3)).remove("a").maxIdleSeconds(60));
    assertEquals(SaveOutcome.Kind.SAVED, saved.kind());
    assertEquals(created.epoch(), saved.epoch());
    assertEquals(created.createdVersion(), saved.createdVersion());
    assertTrue(saved.merged().isEmpty());
    assertCurrent(key, saved.epoch(), saved.version());
    StoredSession record = claim(second, key).session();
    assertEquals(60, record.maxIdleSeconds());
    assertEquals(2, record.attributes().size());
    assertEquals("b", record.attributes().get(0).name());
    assertEquals(created.version(), record.attributes().get(0).version());
    assertEquals("c", record.attributes().get(1).name());
    assertEquals(saved.version(), record.attributes().get(1).version());
  }

  @Test
  void a_save_under_a_lost_epoch_is_fenced_and_changes_nothing() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    StoredSession record = claim(second, key).session();
    assertFenced(second, save(first, key, after(created).set("cart", 1, number(9))));
    assertCurrent(key, record.epoch(), record.version());
  }

  @Test
  void a_late_save_merges_and_leaves_the_session_to_its_successor() {
    SessionKey key = newKey();
    SessionChange.Builder creation =
        creation().set("a", 1, number(1)).set("b", 1, number(1)).set("c", 1, number(1));
    SaveOutcome created = save(first, key, creation);
    StoredSession taken = claim(second, key).session();
    Login bob = new Login("bob", Collections.singletonList("buyer"), "FORM");
    SessionChange.Builder change =
        after(taken).set("a", 1, number(2)).remove("b").login(bob).maxIdleSeconds(60);
    SaveOutcome theirs = save(second, key, change);
    assertFenced(second, save(first, key, after(created).set("c", 1, number(3))));

    SaveOutcome late = save(first, key, after(created).late(true).set("c", 1, number(3)));
    assertEquals(SaveOutcome.Kind.SAVED, late.kind());
    assertEquals(taken.epoch(), late.epoch());
    assertEquals(created.createdVersion(), late.createdVersion());
    assertTrue(late.version() > theirs.version());
    assertEquals(1, late.merged().attributes().size());
    StoredAttribute merged = late.merged().attributes().get(0);
    assertEquals("a", merged.name());
    assertArrayEquals(number(2), merged.bytes());
    assertEquals(theirs.version(), merged.version());
    assertTrue(late.merged().removes("b"));
    assertFalse(late.merged().removes("a") || late.merged().removes("c"));
    assertEquals("bob", late.merged().login().principal());
    assertEquals(60, late.merged().maxIdleSeconds());
    assertCurrent(key, taken.epoch(), late.version());

    SaveOutcome conflict = save(first, key, after(created).late(true).set("a", 1, number(3)));
    assertEquals(SaveOutcome.Kind.CONFLICT, conflict.kind());
    assertEquals(late.version(), conflict.version());
    assertArrayEquals(number(2), conflict.merged().attributes().get(0).bytes());
    assertCurrent(key, taken.epoch(), late.version());

    SaveOutcome own = save(second, key, after(theirs).late(true).set("a", 1, number(4)));
    assertEquals(taken.epoch(), own.epoch());
    assertArrayEquals(number(3), own.merged().attributes().get(0).bytes());
  }

  @Test
  void a_late_save_of_an_older_ownership_is_fenced() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    StoredSession theirs = claim(second, key).session();
    StoredSession taken = claim(first, key).session();
    SessionChange.Builder older =
        SessionChange.of(created.epoch(), taken.version()).late(true).set("a", 1, number(1));
    assertFenced(first, save(second, key, older));
    assertCurrent(key, taken.epoch(), taken.version());
    SaveOutcome late = save(second, key, after(theirs).late(true).set("a", 1, number(2)));
    assertEquals(SaveOutcome.Kind.SAVED, late.kind());
    assertCurrent(key, taken.epoch(), late.version());
  }

  @Test
  void a_late_save_follows_no_rename_and_brings_nothing_back() {
    SessionKey key = newKey();
    SessionKey to = newKey();
    SaveOutcome created = create(first, key);
    StoredSession taken = claim(second, key).session();
    CommandOutcome renamed = rename(second, key, to, taken.epoch());
    SessionChange.Builder change = after(created).late(true).set("theme", 1, number(1));
    assertEquals(SaveOutcome.Kind.RENAMED, save(first, key, change).kind());
    assertCurrent(to, taken.epoch(), renamed.version());
    assertEquals(SaveOutcome.Kind.SAVED, save(first, to, change).kind());
    CommandOutcome removed = logout(second, to, created.createdVersion(), taken.epoch());
    SaveOutcome gone = save(first, to, change);
    assertEquals(SaveOutcome.Kind.GONE, gone.kind());
    assertEquals(removed.version(), gone.tombstone());
  }

  @Test
  void what_others_changed_since_the_base_conflicts_and_nothing_is_changed() {
    SessionKey key = newKey();
    SessionChange.Builder creation =
        creation().set("a", 1, number(1)).set("b", 1, number(1)).set("d", 1, number(1));
    SaveOutcome created = save(first, key, creation);
    Login bob =
        new Login("bob", Collections.<String>emptyList(), "FORM")
            .with(SessionDirectory.OIDC_SID, "7f3a");
    SessionChange.Builder change =
        after(created).set("a", 1, number(2)).remove("b").login(bob).maxIdleSeconds(60);
    SaveOutcome changed = save(first, key, change);
    List<SessionChange.Builder> late =
        Arrays.asList(
            after(created).set("a", 1, number(3)),
            after(created).remove("a"),
            after(created).set("b", 1, number(3)).set("c", 1, number(3)),
            after(created).login(Login.NONE),
            after(created).maxIdleSeconds(7));
    for (SessionChange.Builder each : late) {
      SaveOutcome conflict = save(first, key, each);
      assertEquals(SaveOutcome.Kind.CONFLICT, conflict.kind());
      assertEquals(changed.version(), conflict.version());
      assertArrayEquals(number(2), conflict.merged().attributes().get(0).bytes());
      assertTrue(conflict.merged().removes("b"));
      assertFalse(conflict.merged().removes("a"));
      assertEquals("bob", conflict.merged().login().principal());
      assertEquals("7f3a", conflict.merged().login().labels().get(SessionDirectory.OIDC_SID));
      assertEquals(60, conflict.merged().maxIdleSeconds());
      assertCurrent(key, changed.epoch(), changed.version());
    }
    SaveOutcome beside = save(first, key, after(created).set("d", 1, number(4)));
    assertEquals(SaveOutcome.Kind.SAVED, beside.kind());
    assertEquals("a", beside.merged().attributes().get(0).name());
  }

  @Test
  void a_logout_within_a_session_is_told_as_nobody() {
    SessionKey key = newKey();
    Login ada = new Login("ada", Collections.<String>emptyList(), "FORM");
    SaveOutcome created = save(first, key, creation().login(ada));
    save(first, key, after(created).login(Login.NONE));
    SaveOutcome beside = save(first, key, after(created).set("a", 1, number(1)));
    assertTrue(beside.merged().login().isNone());
    assertTrue(claim(second, key).session().login().isNone());
  }

  @Test
  void over_a_tombstone_only_a_save_that_names_it_creates() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    CommandOutcome removed = logout(first, key, created.createdVersion(), created.epoch());
    SaveOutcome late = save(first, key, after(created).late(true).set("cart", 1, number(2)));
    assertEquals(SaveOutcome.Kind.GONE, late.kind());
    assertEquals(removed.version(), late.tombstone());
    SaveOutcome blind = create(first, key);
    assertEquals(SaveOutcome.Kind.GONE, blind.kind());
    assertEquals(removed.version(), blind.tombstone());
    SaveOutcome anew =
        save(first, key, SessionChange.of(0, removed.version()).maxIdleSeconds(1800));
    assertEquals(SaveOutcome.Kind.SAVED, anew.kind());
    assertTrue(anew.createdVersion() > removed.version());
  }

  @Test
  void a_rename_moves_the_record_and_the_old_key_serves_only_the_current_epoch() {
    SessionKey key = newKey();
    SessionKey to = newKey();
    SaveOutcome created = create(first, key);
    CommandOutcome renamed = rename(first, key, to, created.epoch());
    assertKind(CommandOutcome.Kind.DONE, renamed);
    assertTrue(renamed.version() > created.version());
    assertCurrent(to, created.epoch(), renamed.version());

    SaveOutcome evil = save(second, key, creation().set("cart", 1, number(6)));
    assertEquals(SaveOutcome.Kind.RENAMED, evil.kind());
    long none = created.epoch() + 1_000_000;
    assertKind(CommandOutcome.Kind.RENAMED, release(second, key, none));
    assertKind(CommandOutcome.Kind.RENAMED, logout(second, key, created.createdVersion(), none));
    assertKind(CommandOutcome.Kind.RENAMED, rename(first, key, newKey(), created.epoch()));
    assertCurrent(to, created.epoch(), renamed.version());

    SaveOutcome late = save(first, key, after(created).set("theme", 1, number(1)));
    assertEquals(SaveOutcome.Kind.SAVED, late.kind());
    assertCurrent(to, created.epoch(), late.version());
  }

  @Test
  void a_rename_that_cannot_be_changes_nothing() {
    SessionKey key = newKey();
    assertKind(CommandOutcome.Kind.GONE, rename(first, key, newKey(), 1));
    SaveOutcome created = create(first, key);
    SessionKey inUse = newKey();
    SaveOutcome other = create(first, inUse);
    assertKind(CommandOutcome.Kind.TAKEN, rename(first, key, inUse, created.epoch()));
    logout(first, inUse, other.createdVersion(), other.epoch());
    assertKind(CommandOutcome.Kind.TAKEN, rename(first, key, inUse, created.epoch()));
    StoredSession record = claim(second, key).session();
    assertFenced(second, rename(first, key, newKey(), created.epoch()));
    assertCurrent(key, record.epoch(), record.version());

    SessionKey elsewhere = new SessionKey(APPLICATION + "2", newKey().hash());
    assertThrows(
        IllegalArgumentException.class, () -> rename(second, key, elsewhere, record.epoch()));
  }

  @Test
  void a_rename_leads_to_any_key_that_is_free() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    byte[] hash = newKey().hash();
    hash[0] = (byte) ~key.slot();
    SessionKey otherSlot = new SessionKey(APPLICATION, hash);
    CommandOutcome renamed = rename(first, key, otherSlot, created.epoch());
    assertKind(CommandOutcome.Kind.DONE, renamed);
    assertCurrent(otherSlot, created.epoch(), renamed.version());
    assertKind(CommandOutcome.Kind.TAKEN, rename(first, otherSlot, key, created.epoch()));
    StoredSession record = claim(second, otherSlot).session();
    assertArrayEquals(number(1), record.attributes().get(0).bytes());
    assertEquals(ClaimOutcome.Kind.RENAMED, claim(first, key).kind());
  }

  @Test
  void a_logout_ignores_the_epoch_and_an_expiry_does_not() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    long life = created.createdVersion();
    StoredSession record = claim(second, key).session();
    assertFenced(second, expire(first, key, life, created.epoch()));
    CommandOutcome otherLife = logout(first, key, life + 1_000_000, record.epoch());
    assertKind(CommandOutcome.Kind.GONE, otherLife);
    assertCurrent(key, record.epoch(), record.version());

    CommandOutcome removed = logout(first, key, life, created.epoch());
    assertKind(CommandOutcome.Kind.DONE, removed);
    assertTrue(removed.version() > record.version());
    CommandOutcome again = logout(second, key, life, record.epoch());
    assertKind(CommandOutcome.Kind.GONE, again);
    assertEquals(removed.version(), again.version());

    SessionKey idle = newKey();
    SaveOutcome mine = create(first, idle);
    assertKind(CommandOutcome.Kind.DONE, expire(first, idle, mine.createdVersion(), mine.epoch()));
    assertEquals(ClaimOutcome.Kind.GONE, claim(second, idle).kind());
    assertKind(CommandOutcome.Kind.GONE, logout(first, newKey(), 1, 1));
  }

  @Test
  void a_released_session_is_nobodys_until_it_is_claimed() {
    SessionKey key = newKey();
    assertKind(CommandOutcome.Kind.GONE, release(first, key, 1));
    SaveOutcome created = create(first, key);
    assertKind(CommandOutcome.Kind.DONE, release(first, key, created.epoch()));
    SaveOutcome late = save(first, key, after(created).set("cart", 1, number(2)));
    assertEquals(SaveOutcome.Kind.FENCED, late.kind());
    assertEquals(0, late.owner().instance());
    SaveOutcome after = save(first, key, after(created).late(true).set("cart", 1, number(3)));
    assertEquals(SaveOutcome.Kind.SAVED, after.kind());
    assertNotEquals(created.epoch(), after.epoch());

    StoredSession record = claim(second, key).session();
    assertArrayEquals(number(3), record.attributes().get(0).bytes());
    assertFenced(second, release(first, key, created.epoch()));
    SessionChange.Builder still =
        SessionChange.of(created.epoch(), after.version()).late(true).set("theme", 1, number(1));
    assertEquals(record.epoch(), save(first, key, still).epoch());
  }

  @Test
  void a_touch_names_the_sessions_that_it_did_not_touch() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    StoredSession record = claim(second, key).session();
    Touch mine = new Touch(key, record.epoch(), 5_000);
    Touch lost = new Touch(key, created.epoch(), 5_000);
    Touch none = new Touch(newKey(), 1, 5_000);
    TouchOutcome outcome = second.touch(Arrays.asList(none, lost, mine));
    assertEquals(Collections.singletonList(lost), outcome.fenced());
    assertEquals(Collections.singletonList(none), outcome.gone());
    assertCurrent(key, record.epoch(), record.version());
    assertEquals(5_000, claim(first, key).session().lastAccessMillis());
  }

  @Test
  void a_touch_may_name_more_sessions_than_a_message_takes() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    List<Touch> touches = new ArrayList<>();
    for (int i = 0; i < SessionStore.TOUCHES_PER_MESSAGE_MAX; i++) {
      touches.add(new Touch(key, created.epoch(), 5_000));
    }
    Touch lost = new Touch(key, created.epoch() + 1_000_000, 5_000);
    Touch none = new Touch(newKey(), 1, 5_000);
    touches.addAll(Arrays.asList(lost, none));
    TouchOutcome outcome = first.touch(touches);
    assertEquals(Collections.singletonList(lost), outcome.fenced());
    assertEquals(Collections.singletonList(none), outcome.gone());
  }
}
