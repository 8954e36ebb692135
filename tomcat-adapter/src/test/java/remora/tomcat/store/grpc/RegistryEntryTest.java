package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * What is said of a Tomcat to the registry, and when. Each line of a script is the time in seconds,
 * what happens, and behind the arrow what is said then and how the entry stands.
 */
class RegistryEntryTest {

  private final RegistryEntry entry = new RegistryEntry(0);
  private long now;

  private void script(String... lines) {
    for (String line : lines) {
      String[] halves = line.split("->");
      String[] words = halves[0].trim().split("\\s+");
      now = (long) (Double.parseDouble(words[0]) * TimeUnit.SECONDS.toNanos(1));
      String said = happen(words[1]);
      RegistryEntry.Telling word = entry.next(now);
      String found =
          (word == RegistryEntry.Telling.NOTHING ? "" : word + " ") + entry.state() + said;
      assertEquals(halves[1].trim(), found, line);
    }
  }

  private String happen(String what) {
    switch (what) {
      case "wants":
        entry.wants(false, now);
        break;
      case "renamed":
        entry.wants(true, now);
        break;
      case "nothing":
        entry.wantsNothing(now);
        break;
      case "leaves":
        entry.leaves(now);
        break;
      case "returns":
        entry.returns(now);
        break;
      case "known":
      case "unknown":
        entry.meets(what.equals("known"), now);
        break;
      case "another":
      case "restored":
        entry.meetsAnother(what.equals("restored"), now);
        break;
      case "answered":
        entry.answered();
        break;
      case "broke":
        return entry.broke(now) ? " for long" : "";
      case "refused":
        entry.refused(now);
        break;
      default:
        assertEquals("waits", what);
    }
    return entry.isOut() ? " out" : "";
  }

  @Test
  void what_was_answered_is_not_said_again() {
    script(
        "0    waits    -> ABSENT",
        "0    unknown  -> ABSENT",
        "0    wants    -> DUE",
        "0.04 wants    -> DUE",
        "0.1  waits    -> ANNOUNCE SAID",
        "0.2  answered -> STANDS",
        "3600 waits    -> STANDS",
        "3601 known    -> STANDS");
  }

  @Test
  void what_changes_is_said_again_once_a_second_and_in_order() {
    script(
        "0    wants    -> DUE",
        "0.1  waits    -> ANNOUNCE SAID",
        "0.2  wants    -> SAID",
        "0.9  waits    -> SAID",
        "1.0  answered -> DUE",
        "1.1  waits    -> ANNOUNCE SAID",
        "1.2  answered -> STANDS",
        "9    wants    -> DUE",
        "9.05 waits    -> ANNOUNCE SAID");
  }

  @Test
  void a_call_that_broke_is_made_again_with_growing_pause_and_a_person_hears_at_last() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "1     broke    -> DUE",
        "1.04  waits    -> DUE",
        "1.05  waits    -> ANNOUNCE SAID",
        "1.05  broke    -> DUE",
        "1.14  waits    -> DUE",
        "1.15  waits    -> ANNOUNCE SAID",
        "2     broke    -> DUE",
        "3     waits    -> ANNOUNCE SAID",
        "3     broke    -> DUE",
        "4     waits    -> ANNOUNCE SAID",
        "4     broke    -> DUE",
        "5     waits    -> ANNOUNCE SAID",
        "5     broke    -> DUE",
        "7     waits    -> ANNOUNCE SAID",
        "7     broke    -> DUE",
        "11    waits    -> ANNOUNCE SAID",
        "11    broke    -> DUE",
        "18    waits    -> ANNOUNCE SAID",
        "18    broke    -> DUE for long",
        "27.9  waits    -> DUE",
        "28    waits    -> ANNOUNCE SAID",
        "29    answered -> STANDS");
  }

  @Test
  void another_stream_makes_a_call_that_broke_due_at_once() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "1     broke    -> DUE",
        "1.01  unknown  -> ANNOUNCE SAID");
  }

  @Test
  void a_refusal_that_lasts_is_tried_slowly_and_at_once_when_something_else_is_said() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "1     refused  -> REFUSED",
        "2     unknown  -> REFUSED",
        "60.9  waits    -> REFUSED",
        "61    waits    -> ANNOUNCE SAID",
        "62    refused  -> REFUSED",
        "63    wants    -> DUE",
        "63.1  waits    -> ANNOUNCE SAID",
        "63.2  refused  -> REFUSED",
        "64    another  -> ANNOUNCE SAID",
        "64.1  answered -> STANDS");
  }

  @Test
  void who_was_never_taken_in_has_nothing_to_take_out() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "1     refused  -> REFUSED",
        "2     leaves   -> ABSENT out");
  }

  @Test
  void a_store_that_knows_it_not_is_told_again() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     unknown  -> ANNOUNCE SAID",
        "9.1   answered -> STANDS");
  }

  @Test
  void another_store_is_told_whatever_its_backup_holds() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     another  -> ANNOUNCE SAID",
        "9.1   answered -> STANDS",
        "19    restored -> ANNOUNCE SAID",
        "19.1  answered -> STANDS");
  }

  @Test
  void an_answer_of_the_store_before_counts_for_nothing_at_another() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   another  -> SAID",
        "0.2   answered -> ANNOUNCE SAID",
        "0.3   unknown  -> SAID",
        "0.4   answered -> ANNOUNCE SAID",
        "0.5   answered -> STANDS");
  }

  @Test
  void who_leaves_is_taken_out_and_enters_no_more_whatever_he_meets() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     leaves   -> RETIRE SAID",
        "9.1   wants    -> SAID",
        "9.2   answered -> ABSENT out",
        "10    leaves   -> ABSENT out",
        "10    wants    -> ABSENT out",
        "11    unknown  -> ABSENT out",
        "12    another  -> ABSENT out",
        "13    restored -> RETIRE SAID",
        "14    answered -> ABSENT out",
        "15    nothing  -> ABSENT out",
        "16    wants    -> ABSENT out",
        "17    returns  -> DUE",
        "17.1  waits    -> ANNOUNCE SAID");
  }

  @Test
  void who_leaves_waits_for_what_was_said_and_takes_out_what_may_have_come_of_it() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   leaves   -> SAID",
        "0.2   broke    -> DUE",
        "0.25  waits    -> RETIRE SAID",
        "0.3   broke    -> DUE",
        "0.4   waits    -> RETIRE SAID",
        "0.5   answered -> ABSENT out",
        "0.6   waits    -> ABSENT out");
  }

  @Test
  void a_retirement_that_is_refused_is_given_up() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     leaves   -> RETIRE SAID",
        "9.1   refused  -> ABSENT out",
        "9.2   waits    -> ABSENT out");
  }

  @Test
  void what_serves_nothing_more_is_taken_out() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     nothing  -> DUE",
        "9.05  waits    -> RETIRE SAID",
        "9.1   answered -> ABSENT",
        "10    wants    -> DUE",
        "10.1  waits    -> ANNOUNCE SAID");
  }

  @Test
  void another_name_comes_after_the_old_one_is_taken_out() {
    script(
        "0     wants    -> DUE",
        "0.05  waits    -> ANNOUNCE SAID",
        "0.1   answered -> STANDS",
        "9     renamed  -> DUE",
        "9.05  waits    -> RETIRE SAID",
        "9.1   answered -> ANNOUNCE SAID",
        "9.2   answered -> STANDS");
  }
}
