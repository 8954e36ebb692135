package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Under which of its addresses a machine is found. */
class OwnAddressTest {

  private final Set<String> ours =
      new HashSet<>(Arrays.asList("127.0.0.1", "10.0.0.5", "10.1.0.5", "fd00:0:0:0:0:0:0:5"));
  private final OwnAddress own = new OwnAddress(address -> ours.contains(address.getHostAddress()));

  private String from(String address) throws Exception {
    own.speaksFrom(new InetSocketAddress(InetAddress.getByName(address), 40_000));
    return own.literal();
  }

  @Test
  void it_is_where_a_connection_to_the_store_begins() throws Exception {
    assertNull(own.literal());
    assertEquals("10.0.0.5", from("10.0.0.5"));
  }

  @Test
  void a_colon_is_kept_in_brackets_and_a_zone_left_out() throws Exception {
    assertEquals("[fe80:0:0:0:0:0:0:1]", from("fe80::1%1"));
    assertEquals("[fd00:0:0:0:0:0:0:5]", from("fd00::5"));
  }

  @Test
  void another_leader_on_another_network_changes_nothing() throws Exception {
    from("10.0.0.5");
    assertEquals("10.0.0.5", from("10.1.0.5"));
    assertEquals("10.0.0.5", from("127.0.0.1"));
  }

  @Test
  void an_address_that_the_machine_has_lost_is_told_no_more() throws Exception {
    from("10.0.0.5");
    ours.remove("10.0.0.5");
    assertEquals("10.1.0.5", from("10.1.0.5"));
  }

  @Test
  void the_loopback_is_told_until_there_is_another() throws Exception {
    assertEquals("127.0.0.1", from("127.0.0.1"));
    assertEquals("10.0.0.5", from("10.0.0.5"));
    assertEquals("10.0.0.5", from("127.0.0.1"));
  }
}
