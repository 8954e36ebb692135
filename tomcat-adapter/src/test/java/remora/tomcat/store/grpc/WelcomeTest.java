package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;

/** What the client takes from a node's first words. */
@Timeout(60)
class WelcomeTest {

  private static int limitSaid(long said, long instance) throws Exception {
    try (FakeNode node = new FakeNode()) {
      node.sessionBytesMax = said;
      try (SessionStore store =
          GrpcSessionStore.openAs(new StoreOptions(node.address(), "n1", 5_000), instance)) {
        store.check(new SessionKey("localhost/shop", new byte[16]), 1, 1); // after the welcome
        return store.sessionBytesMax();
      }
    }
  }

  @Test
  void the_limit_on_a_session_is_the_stores() throws Exception {
    assertEquals(3 << 20, limitSaid(3 << 20, 2001));
    assertEquals(1000, limitSaid(1000, 2002));
    assertEquals(SessionStore.SESSION_BYTES_MAX_DEFAULT, limitSaid(0, 2003));
  }

  @Test
  void the_limit_on_a_session_is_never_more_than_a_message_can_hold() throws Exception {
    int most = limitSaid(-1, 2004);
    assertEquals(most, limitSaid(Long.MAX_VALUE, 2005));
    assertEquals(most, limitSaid(4 << 20, 2006));
  }

  @Test
  void the_limit_is_the_default_while_no_node_has_spoken() throws Exception {
    try (SessionStore store =
        GrpcSessionStore.openAs(new StoreOptions("127.0.0.1:1", "n1", 1), 2007)) {
      assertEquals(SessionStore.SESSION_BYTES_MAX_DEFAULT, store.sessionBytesMax());
    }
  }
}
