package program;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import java.io.IOException;
import java.io.Writer;
import java.net.URLDecoder;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A program in one request: operations parted by semicolons, words by spaces, odd characters as in a query. Each operation
 * is said with what came of it; an exception is said by its class, and the program goes on.
 */
public final class Run {
  final HttpServletRequest request;
  final HttpServletResponse response;
  final String scenario;
  private final Writer out;
  private final StringBuilder said = new StringBuilder();

  /** The session that operations mean, until another one is opened; it may have ended. */
  HttpSession session;

  /** The event at which listeners do something in this request, and what. */
  String reactTo = "";

  String reaction = "";

  /** Whether another page goes on with the program, and completes the request. */
  volatile boolean dispatched;

  /** What is left to do; a forward or dispatch hands it on. */
  private final Deque<String> left = new ArrayDeque<>();

  /**
   * A program for a request.
   *
   * @param request the request, with the scenario's name
   * @param response where it goes
   * @param out where the page writes
   */
  public Run(HttpServletRequest request, HttpServletResponse response, Writer out) {
    this.request = request;
    this.response = response;
    this.scenario = request.getParameter("scenario");
    this.out = out;
  }

  /**
   * Runs what a parameter says.
   *
   * @param program the operations
   * @throws Exception when the program asked for it
   */
  public void run(String program) throws Exception {
    for (String operation : program.split(";")) {
      if (!operation.trim().isEmpty()) {
        left.add(operation.trim());
      }
    }
    goOn();
  }

  /** Runs what is left, on this thread. */
  void goOn() throws Exception {
    Events.enter(this);
    try {
      while (!left.isEmpty()) {
        String operation = left.remove();
        if (!Transfers.knows(operation)) {
          one(operation);
        } else if (Transfers.take(this, operation, left)) {
          return;
        }
      }
      end();
    } finally {
      Events.leave();
    }
  }

  private void one(String operation) throws Exception {
    String[] words = operation.split(" +");
    for (int index = 1; index < words.length; index++) {
      words[index] = words[index].equals("''") ? "" : URLDecoder.decode(words[index], "UTF-8");
    }
    if (words[0].equals("throw")) {
      Transfers.fail(words[1]);
    }
    String came;
    try {
      came = Operations.perform(this, words);
    } catch (Misspelled misspelled) {
      throw misspelled;
    } catch (Exception | StackOverflowError failure) {
      came = "!" + failure.getClass().getName();
    }
    if (session != null && scenario != null) {
      remember();
    }
    if (came != null) {
      say(Shown.printable(operation) + " -> " + came);
    }
  }

  private void remember() {
    try {
      Events.belongs(session, scenario);
    } catch (IllegalStateException ended) {
      // Its id was noted while it lived.
    }
  }

  void say(String line) {
    said.append(line).append('\n');
  }

  /** Writes what was said, without committing the answer. */
  void end() throws IOException {
    out.write(said.toString());
    said.setLength(0);
  }

  void flush() throws IOException {
    end();
    out.flush();
    response.flushBuffer();
  }

  /** Forgets what was said and not written. */
  void forget() {
    said.setLength(0);
  }
}
