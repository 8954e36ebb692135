package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import remora.tomcat.copy.EncodedValue;
import remora.tomcat.keeper.PermanentFaultException;

/** What an application sees of how its attributes are saved. */
class SessionEncoderTest {

  private static final List<ClassLoader> seen = Collections.synchronizedList(new ArrayList<>());

  /** Notes under which context class loader it is written and read. */
  static final class Looks implements Serializable {
    private static final long serialVersionUID = 1L;
    private final boolean fails;

    Looks(boolean fails) {
      this.fails = fails;
    }

    private void writeObject(ObjectOutputStream output) throws IOException {
      output.defaultWriteObject();
      seen.add(Thread.currentThread().getContextClassLoader());
      if (fails) {
        throw new IOException("as asked");
      }
    }

    private void readObject(ObjectInputStream input) throws IOException, ClassNotFoundException {
      input.defaultReadObject();
      seen.add(Thread.currentThread().getContextClassLoader());
    }
  }

  private final ClassLoader application =
      new URLClassLoader(new URL[0], SessionEncoderTest.class.getClassLoader());
  private final AtomicInteger limit = new AtomicInteger(1000);
  private final SessionEncoder values = new SessionEncoder(application, null, limit::get, false);

  private EncodedValue encode(String name, Object value) {
    return values.encode(name, value, 1).value();
  }

  @Test
  void an_attribute_is_written_and_read_under_the_class_loader_of_its_application() {
    seen.clear();
    ClassLoader before = Thread.currentThread().getContextClassLoader();
    values.decode("looks", encode("looks", new Looks(false)));
    assertThrows(PermanentFaultException.class, () -> encode("looks", new Looks(true)));
    assertEquals(Collections.nCopies(3, application), seen);
    assertSame(before, Thread.currentThread().getContextClassLoader());
  }

  @Test
  void the_limit_of_a_value_is_the_one_that_holds_now() {
    byte[] value = new byte[2000];
    String refused =
        assertThrows(PermanentFaultException.class, () -> encode("big", value)).getMessage();
    assertTrue(refused.contains("\"big\"") && refused.contains("1000 bytes"), refused);
    limit.set(3000);
    assertArrayEquals(value, (byte[]) values.decode("big", encode("big", value)));
  }
}
