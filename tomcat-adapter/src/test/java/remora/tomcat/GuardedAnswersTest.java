package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.servlet.AsyncContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;

/**
 * What of an answer may leave, and when: whatever way it takes, whatever the application makes of a
 * failure.
 *
 * <ul>
 *   <li>A failure of the store that the application swallowed fails the answer all the same: here.
 *   <li>Nothing leaves after an unsaved change, not even a chunk of a body whose head has left:
 *       here; the first chunk: {@code
 *       CommitHookTest#the_first_chunk_asks_before_the_protocol_has_it}.
 *   <li>Sessions that only a thread of the application touched are seen: here.
 *   <li>Files that Tomcat sends itself: here. Early hints: {@code
 *       CommitHookTest#early_hints_do_not_leave_before_the_guard_has_agreed}. The trailers of
 *       HTTP/2, by which a cut answer never looks whole: {@link
 *       ResponseTest#an_http2_answer_that_is_cut_never_looks_whole}.
 *   <li>The hook takes itself off at the end and recognises strangers: {@code
 *       CommitHookTest#the_end_gives_the_response_back_as_it_was}, {@code
 *       CommitHookTest#a_hook_that_a_broken_request_left_behind_swallows_nothing_of_the_next},
 *       {@link KeptConnectionTest#every_request_of_a_kept_connection_is_guarded_anew}.
 * </ul>
 */
class GuardedAnswersTest extends TwoTomcats {

  /** A file of more than the 48 KiB from which on Tomcat would send files itself, in bytes. */
  private static final int FILE_BYTES = 100_000;

  /** An application that hides what goes wrong. */
  private static Work swallowing(Work work) {
    return (q, a) -> {
      try {
        work.serve(q, a);
      } catch (RuntimeException hidden) {
        a.getWriter().print("as if nothing had happened");
      }
    };
  }

  @Test
  void a_logout_that_failed_is_no_success_although_the_application_swallows_it() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.store.savesFail = true;
    assertRefused(
        one.get("/", cookie, swallowing((q, a) -> q.getSession().invalidate())), "certain");
    one.store.savesFail = false;
    assertEquals("apples", one.get("/", cookie, GET).body());
  }

  @Test
  void an_id_that_was_not_changed_is_no_success_although_the_application_swallows_it()
      throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.store.savesFail = true;
    assertRefused(one.get("/", cookie, swallowing((q, a) -> q.changeSessionId())), "certain");
  }

  @Test
  void a_look_up_that_failed_is_no_success_although_the_application_swallows_it() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    String id = cookie.substring(cookie.indexOf('=') + 1);
    two.store.down = true;
    assertRefused(two.get("/", null, swallowing((q, a) -> two.manager.findSession(id))), "certain");
  }

  @Test
  void no_chunk_of_a_body_leaves_after_an_unsaved_change() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    Work late =
        (q, a) -> {
          a.getWriter().print("early");
          a.flushBuffer();
          q.getSession().setAttribute("cart", "pears");
          one.store.savesFail = true;
          for (int i = 0; i < 10_000; i++) {
            a.getWriter().print("unsaved...");
          }
        };
    Answer answer = one.get("/", cookie, late);
    assertEquals(200, answer.status());
    assertTrue(answer.body().contains("early"), answer.body());
    assertFalse(answer.body().contains("unsaved"));
  }

  private static Work asynchronous(String cart) {
    return (q, a) -> {
      AsyncContext async = q.startAsync();
      new Thread(
              () -> {
                q.getSession().setAttribute("cart", cart);
                try {
                  a.getWriter().print("done");
                } catch (IOException broken) {
                  throw new UncheckedIOException(broken);
                } finally {
                  async.complete();
                }
              })
          .start();
    };
  }

  @Test
  void a_session_that_only_a_thread_of_the_application_touched_is_stored_before_the_answer()
      throws Exception {
    Answer answer = one.get("/", null, asynchronous("pears"));
    assertEquals(200, answer.status());
    assertTrue(answer.body().contains("done"), answer.body());
    assertEquals("pears", two.get("/", answer.cookie(), GET).body());
  }

  @Test
  void a_session_that_only_a_thread_of_the_application_touched_fails_the_answer_it_fails_to_store()
      throws Exception {
    one.store.savesFail = true;
    assertRefused(one.get("/", null, asynchronous("pears")), "certain");
  }

  private static Work sends(Path file) {
    return (q, a) -> {
      q.getSession().setAttribute("cart", "pears");
      q.setAttribute("org.apache.tomcat.sendfile.filename", file.toString());
      q.setAttribute("org.apache.tomcat.sendfile.start", 0L);
      q.setAttribute("org.apache.tomcat.sendfile.end", (long) FILE_BYTES);
      a.setContentLength(FILE_BYTES);
    };
  }

  @Test
  void a_file_that_tomcat_sends_itself_leaves_only_after_the_change(@TempDir Path files)
      throws Exception {
    byte[] content = new byte[FILE_BYTES];
    Arrays.fill(content, (byte) 'x');
    Path file = Files.write(files.resolve("large.txt"), content);
    String cookie = one.get("/", null, SET).cookie();
    Answer sent = one.get("/", cookie, sends(file));
    assertEquals(new String(content, StandardCharsets.ISO_8859_1), sent.body());
    assertEquals("pears", two.get("/", cookie, GET).body());
    one.store.savesFail = true;
    Answer refused = one.get("/", null, sends(file));
    assertRefused(refused, "certain");
    assertNull(refused.cookie());
  }
}
