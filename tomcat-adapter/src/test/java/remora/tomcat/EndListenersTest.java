package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.Serializable;
import javax.servlet.ServletContextListener;
import javax.servlet.http.HttpSessionAttributeListener;
import javax.servlet.http.HttpSessionBindingListener;
import javax.servlet.http.HttpSessionListener;
import org.apache.catalina.core.StandardContext;
import org.junit.jupiter.api.Test;
import remora.tomcat.codec.Encoded;
import remora.tomcat.copy.EncodedValue;

/** Whose sessions must be offered when they expire. */
class EndListenersTest {

  /** A value that hears when its session lets it go. */
  static class Bound implements HttpSessionBindingListener, Serializable {
    private static final long serialVersionUID = 1L;
  }

  /** One that inherits it. */
  static final class Inherits extends Bound {
    private static final long serialVersionUID = 1L;
  }

  private static boolean heard(Object lifecycle, Object event) {
    StandardContext context = new StandardContext();
    context.addApplicationLifecycleListener(lifecycle);
    context.addApplicationEventListener(event);
    return EndListeners.areRegistered(context);
  }

  @Test
  void listeners_of_sessions_and_of_their_attributes_count_and_no_others() {
    assertFalse(EndListeners.areRegistered(new StandardContext()));
    Object other = new ServletContextListener() {};
    assertFalse(heard(other, "a listener of something else"));
    assertTrue(heard(new HttpSessionListener() {}, other));
    assertTrue(heard(other, new HttpSessionAttributeListener() {}));
  }

  @Test
  void a_value_that_listens_is_marked_and_read_again() {
    SessionEncoder values =
        new SessionEncoder(EndListenersTest.class.getClassLoader(), null, () -> 1000, false);
    EncodedValue plain = values.encode("name", "value", 1).value();
    assertEquals(0, plain.type() & Encoded.HEARS);
    EncodedValue marked = values.encode("name", new Inherits(), 1).value();
    assertEquals(Encoded.HEARS, marked.type() & Encoded.HEARS);
    Object read = values.decode("name", marked);
    assertTrue(read instanceof Inherits, "" + read);
    assertEquals(marked.fingerprint(), values.fingerprintAgain("name", marked, read));
  }
}
