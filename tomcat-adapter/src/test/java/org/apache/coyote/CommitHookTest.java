package org.apache.coyote;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.reflect.Constructor;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.coyote.CommitHook.Fate;
import org.apache.coyote.CommitHook.Word;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What passes the hook and what does not, over a protocol that only takes notes. */
class CommitHookTest {

  private final List<ActionCode> passed = new ArrayList<>();
  private final StringBuilder body = new StringBuilder();
  private final Request request = new Request();
  private final Response response = new Response();
  private boolean agrees;
  private boolean owes;
  private int asked;
  private RuntimeException fault;
  private Object token;

  private final CommitHook.Guard guard =
      new CommitHook.Guard() {
        @Override
        public boolean mayProceed(boolean committed) {
          asked++;
          return agrees;
        }

        @Override
        public boolean owesSave() {
          return owes;
        }

        @Override
        public String effect() {
          return "certain";
        }

        @Override
        public RuntimeException takeFault() {
          return fault;
        }

        @Override
        public void upgraded(Object upgradeToken) {
          token = upgradeToken;
        }
      };

  /** The whole table: every answer to every question. */
  @Test
  void the_fate_of_an_answer() {
    boolean[] both = {false, true};
    for (boolean headLeft : both) {
      for (boolean replaceable : both) {
        for (boolean pageRuns : both) {
          String of = headLeft + " " + replaceable + " " + pageRuns;
          boolean lost = headLeft || !replaceable;
          assertEquals(Fate.PASS, Fate.of(Word.STORED, headLeft, replaceable, pageRuns), of);
          assertEquals(
              lost ? Fate.CUT : Fate.UNAVAILABLE,
              Fate.of(Word.UNSTORED, headLeft, replaceable, pageRuns),
              of);
          assertEquals(
              lost ? Fate.CUT : pageRuns ? Fate.RAISE : Fate.ERROR,
              Fate.of(Word.FAULT, headLeft, replaceable, pageRuns),
              of);
        }
      }
    }
  }

  @Test
  void a_fault_is_thrown_at_the_page_until_the_answer_is_an_error_page() throws Exception {
    fault = new IllegalStateException("the page's own");
    CommitHook hook = CommitHook.of(request);
    hook.pageBegins();
    response.setHeader("Set-Cookie", "unsaved");
    response.setHeader("X-Kept", "kept");
    for (int i = 0; i < 2; i++) {
      assertSame(fault, assertThrows(IllegalStateException.class, () -> write("unsaved")));
      assertThrows(
          IllegalStateException.class, () -> response.action(ActionCode.CLIENT_FLUSH, null));
      assertSame(fault, hook.askNow());
    }
    assertEquals(Arrays.<ActionCode>asList(), passed);
    assertNull(response.getMimeHeaders().getHeader("Set-Cookie"));
    assertEquals("kept", response.getMimeHeaders().getHeader("X-Kept"));
    agrees = true;
    response.setStatus(500);
    write("sorry");
    assertEquals("sorry", body.toString());
    assertNull(hook.askNow());
  }

  @Test
  void an_error_that_has_not_left_may_still_show_what_the_page_wrote() throws Exception {
    fault = new IllegalStateException("the page's own");
    CommitHook hook = CommitHook.of(request);
    hook.pageBegins();
    assertThrows(IllegalStateException.class, () -> write("unsaved"));
    response.setStatus(500);
    agrees = true;
    assertSame(fault, hook.askNow());
    hook.pageEnded();
    assertNull(hook.askNow());
  }

  @Test
  void a_fault_that_no_page_can_tell_is_an_empty_500() throws Exception {
    fault = new IllegalStateException("the page's own");
    write("unsaved");
    response.action(ActionCode.CLOSE, null);
    assertEquals(500, response.getStatus());
    assertEquals("", body.toString());
    assertNull(response.getMimeHeaders().getHeader("Retry-After"));
  }

  @Test
  void the_guard_is_told_who_takes_an_upgraded_connection_over() throws Exception {
    agrees = true;
    Constructor<?> constructor = UpgradeToken.class.getConstructors()[0];
    Object upgrade = constructor.newInstance(new Object[constructor.getParameterCount()]);
    response.setStatus(101);
    Processor processor =
        (Processor)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {Processor.class, ActionHook.class},
                (self, method, arguments) ->
                    method.getName().equals("getUpgradeToken") ? upgrade : null);
    response.setHook((ActionHook) processor);
    CommitHook.install(request, response, guard);
    response.action(ActionCode.COMMIT, null);
    assertSame(upgrade, token);
  }

  @BeforeEach
  void install() {
    response.setHook(
        (code, parameter) -> {
          passed.add(code);
          if (code == ActionCode.COMMIT) {
            response.setCommitted(true);
          }
        });
    response.setOutputBuffer(
        new OutputBuffer() {
          @Override
          public int doWrite(ByteBuffer chunk) {
            int length = chunk.remaining();
            body.append(StandardCharsets.ISO_8859_1.decode(chunk));
            return length;
          }

          @Override
          public long getBytesWritten() {
            return body.length();
          }
        });
    response.setRequest(request);
    request.protocol().setString("HTTP/1.1"); // AJP says so too
    CommitHook.install(request, response, guard);
  }

  private void write(String text) throws Exception {
    response.doWrite(ByteBuffer.wrap(text.getBytes(StandardCharsets.ISO_8859_1)));
  }

  @Test
  void after_a_cut_neither_body_nor_end_leave() throws Exception {
    agrees = true;
    response.action(ActionCode.COMMIT, null);
    write("early");
    agrees = false;
    response.action(ActionCode.CLIENT_FLUSH, null);
    write("late");
    response.action(ActionCode.CLOSE, null);
    assertEquals(Arrays.asList(ActionCode.COMMIT, ActionCode.CLOSE_NOW), passed);
    assertEquals("early", body.toString());
  }

  @Test
  void a_refused_body_is_dropped_whatever_the_protocol() throws Exception {
    response.action(ActionCode.COMMIT, null);
    write("unsaved");
    response.action(ActionCode.CLOSE, null);
    assertEquals(503, response.getStatus());
    assertEquals("", body.toString());
    assertEquals(ActionCode.CLOSE, passed.get(passed.size() - 1));
  }

  @Test
  void chunks_ask_only_where_something_is_known_to_be_unsaved() throws Exception {
    agrees = true;
    write("one");
    write("two");
    assertEquals(1, asked);
    owes = true;
    agrees = false;
    write("three");
    assertEquals(2, asked);
    assertEquals("onetwo", body.toString());
  }

  @Test
  void the_first_chunk_asks_before_the_protocol_has_it() throws Exception {
    write("unsaved");
    assertEquals(1, asked);
    assertEquals("", body.toString());
  }

  @Test
  void a_hook_that_a_broken_request_left_behind_swallows_nothing_of_the_next() throws Exception {
    response.action(ActionCode.COMMIT, null);
    request.recycle();
    response.recycle();
    write("next");
    assertEquals("next", body.toString());
    int before = asked;
    response.action(ActionCode.CLOSE, null);
    assertEquals(before, asked);
  }

  @Test
  void early_hints_do_not_leave_before_the_guard_has_agreed() {
    assumeTrue(Arrays.toString(ActionCode.values()).contains("EARLY_HINTS"), "a younger Tomcat");
    response.action(ActionCode.valueOf("EARLY_HINTS"), null);
    assertEquals(1, asked);
    assertEquals(Arrays.<ActionCode>asList(), passed);
    assertEquals(503, response.getStatus());
  }

  @Test
  void a_connection_that_changes_protocols_is_cut_and_not_answered() {
    response.setStatus(101);
    response.action(ActionCode.COMMIT, null);
    assertEquals(Arrays.asList(ActionCode.CLOSE_NOW), passed);
    assertEquals(101, response.getStatus());
  }

  @Test
  void the_end_gives_the_response_back_as_it_was() {
    agrees = true;
    ActionHook installed = response.hook;
    response.action(ActionCode.CLOSE, null);
    assertSame(CommitHook.of(request), installed);
    assertNull(response.hook instanceof CommitHook ? response.hook : null);
  }
}
