package program;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletException;
import java.io.IOException;
import java.util.Deque;

/** Operations after which the rest of the program runs elsewhere: on another thread, in another page, or not at all. */
final class Transfers {

  private Transfers() {}

  /** Says whether an operation is one of these. */
  static boolean knows(String operation) {
    return operation.matches("(async|forward|dispatch|include)\\b.*");
  }

  /** Performs one of these, which is taken off already, and says whether the rest was handed on. */
  static boolean take(Run run, String operation, Deque<String> left) throws Exception {
    String[] words = operation.split(" +");
    switch (words[0]) {
      case "async":
        later(run);
        return true;
      case "forward":
        hand(run, left);
        run.forget();
        run.request.getRequestDispatcher(words[1]).forward(run.request, run.response);
        return true;
      case "dispatch":
        hand(run, left);
        run.end();
        run.dispatched = true;
        run.request.getAsyncContext().dispatch(words[1]);
        return true;
      default:
        run.request.setAttribute("program.rest", left.remove());
        run.end();
        run.request.getRequestDispatcher(words[1]).include(run.request, run.response);
        Events.enter(run);
        return false;
    }
  }

  private static void hand(Run run, Deque<String> left) {
    run.request.setAttribute("program.rest", String.join(";", left));
    left.clear();
  }

  private static void later(Run run) {
    AsyncContext context = run.request.startAsync();
    Thread thread =
        new Thread(
            () -> {
              try {
                run.goOn();
              } catch (Exception failure) {
                throw new IllegalStateException(failure);
              } finally {
                if (!run.dispatched) {
                  context.complete();
                }
              }
            });
    thread.start();
  }

  static void fail(String how) throws Exception {
    switch (how) {
      case "runtime":
        throw new IllegalStateException("asked to fail");
      case "io":
        throw new IOException("asked to fail");
      case "servlet":
        throw new ServletException("asked to fail");
      case "error":
        throw new AssertionError("asked to fail");
      default:
        throw new Misspelled("no failure is called " + how);
    }
  }
}
