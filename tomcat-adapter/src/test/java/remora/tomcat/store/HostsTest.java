package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** Which hosts mean something else on every machine. */
class HostsTest {

  @Test
  void the_loopback_is_known_by_how_it_is_written() {
    String[] loopback = {"localhost", "LocalHost", "127.0.0.1", "127.0.1.1", "::1", "[::1]"};
    for (String host : loopback) {
      assertEquals(true, Hosts.isLoopback(host), host);
    }
    assertEquals(true, Hosts.isLoopback("[0:0:0:0:0:0:0:1]"));
    String[] others = {
      "10.0.0.1", "127.example.com", "localhost.example", "[fd00::1]", "[::2]", "1"
    };
    for (String host : others) {
      assertEquals(false, Hosts.isLoopback(host), host);
    }
  }
}
