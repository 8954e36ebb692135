package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;

/**
 * The contract that stands over {@link SessionStore}, bullet by bullet: whoever implements the seam
 * extends this. How elections are waited out is not seen from here; the tests of the client that
 * meets them show it.
 */
@Timeout(120)
public abstract class SessionStoreContract extends CommandsContract {

  /** A command about a session of the first Tomcat, as the caller of the seam repeats it. */
  @FunctionalInterface
  private interface Repeatable {
    /** Says the kind of the outcome, and the version in it if it has one. */
    String ask(SessionStore store, long serial);
  }

  /** What changes a session, each on one of its own; the claim's belongs to the other Tomcat. */
  private Map<String, Repeatable> commands() {
    SessionKey theirs = newKey();
    SessionKey[] keys = {newKey(), newKey(), newKey(), newKey()};
    create(second, theirs);
    SaveOutcome[] mine = new SaveOutcome[keys.length];
    for (int i = 0; i < keys.length; i++) {
      mine[i] = create(first, keys[i]);
    }
    SessionKey renamed = newKey();
    SessionChange change = after(mine[0]).set("cart", 1, number(2)).build();
    Map<String, Repeatable> commands = new LinkedHashMap<>();
    commands.put(
        "claim",
        (store, serial) -> {
          ClaimOutcome outcome = store.claim(serial, theirs);
          StoredSession record = outcome.session();
          return outcome.kind() + (record == null ? "" : " " + record.epoch());
        });
    commands.put(
        "save",
        (store, serial) -> {
          SaveOutcome outcome = store.save(serial, keys[0], change);
          return outcome.kind() + " " + outcome.version();
        });
    commands.put(
        "rename", (store, serial) -> show(store.rename(serial, keys[1], renamed, mine[1].epoch())));
    commands.put(
        "remove",
        (store, serial) ->
            show(
                store.remove(
                    serial,
                    keys[2],
                    mine[2].createdVersion(),
                    mine[2].epoch(),
                    RemoveReason.LOGOUT)));
    commands.put(
        "release", (store, serial) -> show(store.release(serial, keys[3], mine[3].epoch())));
    return commands;
  }

  private static String show(CommandOutcome outcome) {
    return outcome.kind() + " " + outcome.version();
  }

  private static void assertDone(String outcome) {
    assertTrue(outcome.matches("(CLAIMED|SAVED|DONE) \\d+"), outcome);
  }

  @Test
  void an_instance_is_one_for_ever_and_names_the_owner() {
    assertNotEquals(0, first.instance());
    assertNotEquals(first.instance(), second.instance());
    SessionKey key = newKey();
    create(first, key);
    assertEquals(first.instance(), claim(first, key).session().owner().instance());
  }

  @Test
  void serials_rise_and_none_is_drawn_twice() throws Exception {
    List<Callable<List<Long>>> drawing = new ArrayList<>();
    for (SessionStore store : Arrays.asList(first, first, second, second)) {
      drawing.add(
          () -> {
            List<Long> drawn = new ArrayList<>();
            for (int i = 0; i < 1_000; i++) {
              drawn.add(store.nextSerial());
            }
            return drawn;
          });
    }
    Set<Long> all = new HashSet<>();
    for (List<Long> drawn : atOnce(drawing)) {
      assertTrue(drawn.get(0) >= 1);
      for (int i = 1; i < drawn.size(); i++) {
        assertTrue(drawn.get(i) > drawn.get(i - 1));
      }
      all.addAll(drawn);
    }
    assertEquals(4_000, all.size());
  }

  private static <T> List<T> atOnce(List<Callable<T>> tasks) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
    try {
      List<T> results = new ArrayList<>();
      for (Future<T> each : threads.invokeAll(tasks)) {
        results.add(each.get());
      }
      return results;
    } finally {
      threads.shutdown();
    }
  }

  @TestFactory
  Stream<DynamicTest> the_latest_serial_gets_the_recorded_outcome_again() {
    return commands().entrySet().stream()
        .map(
            command ->
                DynamicTest.dynamicTest(
                    command.getKey(),
                    () -> {
                      long serial = first.nextSerial();
                      String outcome = command.getValue().ask(first, serial);
                      assertDone(outcome);
                      assertEquals(outcome, command.getValue().ask(first, serial));
                      assertEquals(outcome, command.getValue().ask(hasty, serial));
                    }));
  }

  @Test
  void an_earlier_serial_is_stale_and_has_no_effect() {
    SessionKey key = newKey();
    SessionKey to = newKey();
    long early = first.nextSerial();
    SaveOutcome created = create(first, key);
    SessionChange change = after(created).set("cart", 1, number(2)).build();
    assertEquals(SaveOutcome.Kind.STALE, first.save(early, key, change).kind());
    long epoch = created.epoch();
    long life = created.createdVersion();
    for (CommandOutcome outcome :
        Arrays.asList(
            first.rename(early, key, to, epoch),
            first.remove(early, key, life, epoch, RemoveReason.LOGOUT),
            first.release(early, key, epoch))) {
      assertEquals(CommandOutcome.Kind.STALE, outcome.kind());
    }
    assertEquals(CheckOutcome.Kind.CURRENT, first.check(key, epoch, created.version()).kind());
  }

  @Test
  void a_late_save_gets_its_outcome_again_whatever_the_owner_saved_since() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    StoredSession taken = claim(second, key).session();
    SessionChange change = after(created).late(true).set("cart", 1, number(2)).build();
    long serial = first.nextSerial();
    SaveOutcome late = first.save(serial, key, change);
    assertEquals(SaveOutcome.Kind.SAVED, late.kind());
    long theirs = second.nextSerial();
    SessionChange more = after(taken).set("theme", 1, number(3)).build();
    SaveOutcome saved = second.save(theirs, key, more);
    for (SessionStore store : Arrays.asList(first, hasty)) {
      SaveOutcome again = store.save(serial, key, change);
      assertEquals(SaveOutcome.Kind.SAVED, again.kind());
      assertEquals(late.version(), again.version());
      assertEquals(taken.epoch(), again.epoch());
    }
    assertEquals(saved.version(), second.save(theirs, key, more).version());
    assertEquals(
        CheckOutcome.Kind.CURRENT, second.check(key, taken.epoch(), saved.version()).kind());
  }

  @Test
  void a_claim_is_stale_when_its_ownership_was_given_up() {
    SessionKey key = newKey();
    create(first, key);
    long serial = second.nextSerial();
    long epoch = second.claim(serial, key).session().epoch();
    assertEquals(CommandOutcome.Kind.DONE, second.release(second.nextSerial(), key, epoch).kind());
    assertEquals(ClaimOutcome.Kind.STALE, second.claim(serial, key).kind());
    assertEquals(ClaimOutcome.Kind.CLAIMED, claim(second, key).kind());
  }

  /** Silence of every kind: the call ends, and the repeat of its serial tells what happened. */
  @TestFactory
  Stream<DynamicTest> a_call_without_an_answer_ends_and_its_repeat_happens_once() {
    return losses().stream()
        .flatMap(loss -> commands().entrySet().stream().map(each -> lost(loss, each)));
  }

  private DynamicTest lost(Loss loss, Map.Entry<String, Repeatable> command) {
    return DynamicTest.dynamicTest(
        command.getKey() + ", " + loss,
        () -> {
          long serial = first.nextSerial();
          lose(loss, command.getKey());
          try {
            assertThrows(
                StoreUnavailableException.class, () -> command.getValue().ask(hasty, serial));
          } finally {
            recover();
          }
          String outcome = command.getValue().ask(first, serial);
          assertDone(outcome);
          assertEquals(outcome, command.getValue().ask(first, serial));
        });
  }

  @Test
  void what_cannot_be_stored_is_refused_with_a_sentence_and_nothing_happened() {
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    for (int bytes : new int[] {SessionStore.SESSION_BYTES_MAX_DEFAULT + 1, 8 << 20}) {
      SessionChange.Builder large = after(created).set("a", 1, new byte[bytes]);
      StoreRefusedException refused =
          assertThrows(StoreRefusedException.class, () -> save(first, key, large));
      assertEquals(StoreRefusedException.Reason.TOO_LARGE, refused.reason());
      assertTrue(refused.getMessage().length() > 20, refused.getMessage());
    }
    SessionChange.Builder twice = after(created).set("a", 1, number(1)).remove("a");
    StoreRefusedException malformed =
        assertThrows(StoreRefusedException.class, () -> save(first, key, twice));
    assertEquals(StoreRefusedException.Reason.MALFORMED, malformed.reason());
    assertEquals(
        CheckOutcome.Kind.CURRENT, first.check(key, created.epoch(), created.version()).kind());
    assertEquals(SessionStore.SESSION_BYTES_MAX_DEFAULT, first.sessionBytesMax());
  }

  @Test
  void an_interrupt_ends_no_call_and_is_kept() {
    SessionKey key = newKey();
    Thread.currentThread().interrupt();
    SaveOutcome created = create(first, key);
    assertTrue(Thread.interrupted());
    assertEquals(SaveOutcome.Kind.SAVED, created.kind());
  }

  @Test
  void many_threads_may_use_one_handle() throws Exception {
    List<Callable<CheckOutcome.Kind>> savers = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      savers.add(
          () -> {
            SessionKey key = newKey();
            SaveOutcome last = create(first, key);
            for (int value = 2; value < 20; value++) {
              last = save(first, key, after(last).set("cart", 1, number(value)));
            }
            return first.check(key, last.epoch(), last.version()).kind();
          });
    }
    assertEquals(Collections.nCopies(savers.size(), CheckOutcome.Kind.CURRENT), atOnce(savers));
  }

  /** Listens for the first Tomcat; what it hears is shown as kind, key and epoch. */
  private List<String> listen() {
    List<String> heard = new CopyOnWriteArrayList<>();
    first.onPush(
        APPLICATION,
        push -> {
          heard.add(push.toString());
          push.acknowledge();
        });
    return heard;
  }

  private static String shown(Push.Kind kind, SessionKey key, long epoch) {
    return new Push(key, kind, epoch, 0, null).toString();
  }

  @Test
  void a_claim_is_answered_when_the_owner_has_heard_of_it() {
    List<String> heard = listen();
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    claim(second, key);
    String lost = shown(Push.Kind.OWNERSHIP_LOST, key, created.epoch());
    assertEquals(Collections.singletonList(lost), heard);
  }

  @Test
  void an_owner_hears_of_claims_removals_and_expiry_elsewhere_but_not_of_its_own_doing()
      throws Exception {
    List<String> heard = listen();
    SessionKey[] keys = {newKey(), newKey(), newKey(), newKey()};
    SaveOutcome own = create(first, keys[3]);
    claim(first, keys[3]);
    logout(first, keys[3], own.createdVersion(), 0);

    create(second, keys[0]);
    StoredSession mine = claim(first, keys[0]).session();
    claim(second, keys[0]);
    String lost = shown(Push.Kind.OWNERSHIP_LOST, keys[0], mine.epoch());
    await("push of a claim", () -> heard.contains(lost));

    SaveOutcome removed = create(first, keys[1]);
    logout(second, keys[1], removed.createdVersion(), 0);
    String gone = shown(Push.Kind.GONE, keys[1], removed.epoch());
    await("push of a removal", () -> heard.contains(gone));

    SaveOutcome idle = save(first, keys[2], SessionChange.of(0, 0).maxIdleSeconds(1));
    String expired = shown(Push.Kind.EXPIRED, keys[2], idle.epoch());
    await(
        "push of an expiry",
        () -> {
          passTime();
          return heard.contains(expired);
        });
    assertEquals(ClaimOutcome.Kind.GONE, claim(first, keys[2]).kind());

    assertEquals(Arrays.asList(lost, gone, expired), heard);
  }

  @Test
  void an_owner_hears_of_late_saves_elsewhere_but_not_of_its_own() throws Exception {
    List<String> heard = listen();
    SessionKey[] keys = {newKey(), newKey()};
    SaveOutcome own = create(first, keys[0]);
    claim(first, keys[0]);
    SessionChange.Builder mine = after(own).late(true).set("theme", 1, number(1));
    assertEquals(SaveOutcome.Kind.SAVED, save(first, keys[0], mine).kind());

    SaveOutcome theirs = create(second, keys[1]);
    StoredSession taken = claim(first, keys[1]).session();
    SaveOutcome late = save(second, keys[1], after(theirs).late(true).set("cart", 1, number(2)));
    Push newer = new Push(keys[1], Push.Kind.NEWER, taken.epoch(), late.version(), null);
    await("push of a late save", () -> heard.contains(newer.toString()));
    assertEquals(
        CheckOutcome.Kind.NEWER, first.check(keys[1], taken.epoch(), taken.version()).kind());
    assertEquals(Collections.singletonList(newer.toString()), heard);
  }

  @Test
  void a_push_is_acknowledged_by_any_thread_as_often_as_it_likes() throws Exception {
    List<Push> heard = new CopyOnWriteArrayList<>();
    first.onPush(APPLICATION, heard::add);
    SessionKey key = newKey();
    create(first, key);
    List<Callable<ClaimOutcome.Kind>> both =
        Arrays.asList(
            () -> claim(second, key).kind(),
            () -> {
              await("push", () -> !heard.isEmpty());
              heard.get(0).acknowledge();
              heard.get(0).acknowledge();
              return null;
            });
    assertEquals(Arrays.asList(ClaimOutcome.Kind.CLAIMED, null), atOnce(both));
    assertEquals(1, heard.size());
  }

  @Test
  void a_claim_is_answered_though_its_push_is_never_acknowledged() {
    first.onPush(APPLICATION, push -> {});
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    StoredSession claimed = claim(second, key).session();
    assertEquals(created.version(), claimed.attributes().get(0).version());
  }

  @Test
  void a_second_listener_of_an_application_replaces_the_first() {
    List<String> before = listen();
    List<String> heard = listen();
    SessionKey key = newKey();
    create(first, key);
    claim(second, key);
    assertEquals(1, heard.size());
    assertEquals(0, before.size());
  }

  @Test
  void a_closed_handle_hears_nothing_more() {
    List<String> heard = listen();
    SessionKey key = newKey();
    create(first, key);
    first.close();
    claim(second, key);
    assertEquals(0, heard.size());
  }

  @Test
  void a_store_that_gives_no_answer_for_long_is_away_until_it_does() throws Exception {
    List<StoreState.Kind> heard = new CopyOnWriteArrayList<>();
    first.onState(state -> heard.add(state.kind()));
    SessionKey key = newKey();
    SaveOutcome created = create(first, key);
    long readAt = System.nanoTime();
    claim(first, key);
    await("trust", () -> first.nearCopyTrusted(readAt));
    assertEquals(StoreState.Kind.LED, first.state().kind());
    lose(Loss.SILENCE, "check");
    try {
      await("end of patience", () -> first.state().kind() == StoreState.Kind.AWAY);
      StoreUnavailableException away =
          assertThrows(
              StoreUnavailableException.class,
              () -> first.check(key, created.epoch(), created.version()));
      assertEquals(StoreUnavailableException.Effect.NONE, away.effect());
    } finally {
      recover();
    }
    await("a leader", () -> first.state().kind() == StoreState.Kind.LED);
    assertEquals(ClaimOutcome.Kind.CLAIMED, claim(first, key).kind());
    assertTrue(heard.indexOf(StoreState.Kind.AWAY) < heard.lastIndexOf(StoreState.Kind.LED));
    assertTrue(heard.contains(StoreState.Kind.AWAY));
  }
}
