package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import remora.tomcat.store.Login;
import remora.tomcat.store.Owner;
import remora.tomcat.store.StoredAttribute;
import remora.tomcat.store.StoredSession;

/** Attributes that are decoded while a newer record comes in. */
class LateDecodingTest {

  private static final int TEXT = 1;

  private RemoraSession session;

  /** Runs while bytes are being decoded; may put a newer record in. */
  private UnaryOperator<String> meanwhile = text -> text;

  private final AttributeValues values =
      new AttributeValues() {
        @Override
        public EncodedValue encode(String name, Object value) {
          return new EncodedValue(TEXT, value.toString().getBytes(StandardCharsets.UTF_8));
        }

        @Override
        public Object decode(String name, EncodedValue encoded) {
          return meanwhile.apply(new String(encoded.bytes(), StandardCharsets.UTF_8));
        }

        @Override
        public EncodedValue.Fingerprint fingerprintAgain(
            String name, EncodedValue encoded, Object value) {
          return encoded.fingerprint();
        }

        @Override
        public boolean isMutable(Object value) {
          return false;
        }
      };

  private static StoredSession record(long version, String cart) {
    byte[] bytes = cart.getBytes(StandardCharsets.UTF_8);
    return new StoredSession(
        version,
        1,
        1,
        new Owner("n1", 1),
        0,
        0,
        1800,
        Login.NONE,
        Collections.singletonList(new StoredAttribute("cart", version, TEXT, bytes)));
  }

  private void load() {
    session = new RemoraSession(new RemoraManager(), values);
    session.load("0123456789ABCDEF", record(1, "apples"));
  }

  @Test
  void an_attribute_that_is_replaced_while_it_is_decoded_is_never_null() {
    load();
    meanwhile =
        text -> {
          if (text.equals("apples")) {
            session.refresh(record(2, "pears"));
          }
          return text;
        };
    assertEquals("pears", session.getAttribute("cart"));
  }

  @Test
  void an_attribute_whose_old_bytes_cannot_be_decoded_is_seen_once_it_is_replaced() {
    load();
    meanwhile =
        text -> {
          if (!text.equals("apples")) {
            return text;
          }
          session.refresh(record(2, "pears"));
          return null;
        };
    assertEquals("pears", session.getAttribute("cart"));
  }

  @Test
  void an_attribute_that_cannot_be_decoded_stays_hidden() {
    load();
    meanwhile = text -> null;
    assertNull(session.getAttribute("cart"));
    assertNull(session.getAttribute("cart"));
  }
}
