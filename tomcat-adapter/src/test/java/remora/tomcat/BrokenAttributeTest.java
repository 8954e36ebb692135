package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import remora.tomcat.Tomcats.Answer;
import remora.tomcat.Tomcats.Work;

/** Attributes whose own code breaks while it is saved or read. */
class BrokenAttributeTest extends TwoTomcats {

  /** What {@link Breaks} throws; static because no stream may need it. */
  private static volatile Supplier<Error> whenWritten;

  private static volatile Supplier<Error> whenRead;

  /** An attribute that throws no exception but an error. */
  static final class Breaks implements Serializable {
    private static final long serialVersionUID = 1L;

    private void writeObject(ObjectOutputStream output) {
      if (whenWritten != null) {
        throw whenWritten.get();
      }
    }

    private void readObject(ObjectInputStream input) {
      if (whenRead != null) {
        throw whenRead.get();
      }
    }
  }

  private void assertFailsWhenWritingThrows(Supplier<Error> thrown, int status) throws Exception {
    whenWritten = thrown;
    try {
      Work work = (q, a) -> q.getSession().setAttribute("breaks", new Breaks());
      Answer fresh = one.get("/", null, work);
      assertEquals(status, fresh.status());
      assertNull(fresh.header("Set-Cookie"), fresh.text);
      String cookie = one.get("/", null, SET).cookie();
      assertEquals(status, one.get("/", cookie, work).status());
      assertEquals("apples", one.get("/", cookie, GET).body());
    } finally {
      whenWritten = null;
    }
  }

  @Test
  void memory_that_runs_out_while_an_attribute_is_saved_is_a_failed_save() throws Exception {
    assertFailsWhenWritingThrows(() -> new OutOfMemoryError("as if"), 503);
  }

  @Test
  void an_attribute_that_throws_an_error_while_it_is_saved_stays_here() throws Exception {
    whenWritten = () -> new AssertionError("an application's own");
    try {
      String cookie =
          one.get("/", null, (q, a) -> q.getSession().setAttribute("breaks", new Breaks()))
              .cookie();
      Work read = (q, a) -> a.getWriter().print(q.getSession().getAttribute("breaks") != null);
      assertEquals("true", one.get("/", cookie, read).body());
      assertEquals("false", two.get("/", cookie, read).body());
    } finally {
      whenWritten = null;
    }
  }

  @Test
  void an_attribute_that_throws_an_error_while_it_is_read_is_hidden() throws Exception {
    String cookie = one.get("/", null, SET).cookie();
    one.get("/", cookie, (q, a) -> q.getSession().setAttribute("breaks", new Breaks()));
    whenRead = () -> new AssertionError("an application's own");
    try {
      Answer answer =
          two.get(
              "/", cookie, (q, a) -> a.getWriter().print(q.getSession().getAttribute("breaks")));
      assertEquals("null", answer.body());
      assertEquals("apples", two.get("/", cookie, GET).body());
    } finally {
      whenRead = null;
    }
  }
}
