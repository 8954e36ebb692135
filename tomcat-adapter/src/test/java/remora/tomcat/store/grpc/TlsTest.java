package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Level;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remora.proto.v1.Refusal;
import remora.tomcat.LogLines;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreTls;
import remora.tomcat.store.StoreUnavailableException;

/**
 * Over TLS both sides know each other, or do not speak; what is wrong is said once, in words that
 * name what to do; and certificates are changed without a restart.
 */
@Timeout(60)
class TlsTest {

  private static final String ROLE = "remora://adapter/localhost/shop";

  @TempDir Path directory;

  private final LogLines log = new LogLines();
  private final List<AutoCloseable> open = new ArrayList<>();
  private TestAuthority authority;
  private TestAuthority stranger;
  private TestAuthority.Issued tomcat;

  @BeforeEach
  void start() throws Exception {
    authority = new TestAuthority(directory, "authority");
    stranger = new TestAuthority(directory, "stranger");
    tomcat = authority.issue("tomcat", 1, ROLE);
  }

  @AfterEach
  void stop() throws Exception {
    for (AutoCloseable each : open) {
      each.close();
    }
    log.close();
  }

  private FakeNode node(TestAuthority.Issued own, TestAuthority clients) throws Exception {
    FakeNode node = new FakeNode(own, clients);
    open.add(0, node);
    return node;
  }

  private FakeNode node(int days, String... names) throws Exception {
    return node(authority.issue("node", days, names), authority);
  }

  private SessionStore store(long timeoutMillis, StoreTls tls, String... addresses) {
    StoreOptions options =
        new StoreOptions(String.join(",", addresses), "n1", timeoutMillis).withTls(tls);
    SessionStore store = GrpcSessionStore.openAs(options, TwoNodes.INSTANCES.incrementAndGet());
    open.add(0, store);
    return store;
  }

  private StoreTls tls(TestAuthority believed, TestAuthority.Issued own) {
    return new StoreTls(believed.file, own.cert, own.key);
  }

  /** Nobody is connected, which is said in one line for all attempts, and to who waits. */
  private void assertRefused(FakeNode node, StoreTls tls, String address, String... parts)
      throws Exception {
    SessionStore store = store(300, tls, address);
    await(
        Arrays.toString(parts),
        () -> says(unavailable(store), parts) && !log.lines(Level.SEVERE).isEmpty());
    assertEquals(1, log.lines(Level.SEVERE).size(), log.lines(Level.SEVERE).toString());
    String line = log.lines(Level.SEVERE).get(0);
    assertTrue(line.contains(address) && says(line, parts), line);
    assertEquals(0, node.hellos.size());
  }

  private static String unavailable(SessionStore store) {
    return assertThrows(StoreUnavailableException.class, () -> store.check(TwoNodes.KEY, 1, 1))
        .getMessage();
  }

  private static boolean says(String text, String... parts) {
    return Arrays.stream(parts).allMatch(text::contains);
  }

  @Test
  void both_sides_know_each_other() throws Exception {
    FakeNode node = node(1, "127.0.0.1");
    TwoNodes.check(store(20_000, tls(authority, tomcat), node.address()));
    assertEquals(1, node.messages.size());
    assertEquals(0, log.lines(Level.WARNING).size());
  }

  @Test
  void a_node_is_known_by_the_name_that_is_configured() throws Exception {
    FakeNode node = node(1, "localhost");
    TwoNodes.check(store(20_000, tls(authority, tomcat), node.address("localhost")));
    assertRefused(node(1, "localhost"), tls(authority, tomcat), "for other names");
  }

  private void assertRefused(FakeNode node, StoreTls tls, String part) throws Exception {
    assertRefused(node, tls, node.address(), part);
  }

  @Test
  void a_node_that_another_one_names_is_known_by_that_name() throws Exception {
    FakeNode named = node(1, "localhost");
    FakeNode first = node(1, "127.0.0.1");
    first.refusal = TwoNodes.notLeader(named.address()); // its certificate is not for 127.0.0.1
    SessionStore store = store(20_000, tls(authority, tomcat), first.address());
    store.onPush("localhost/shop", push -> {});
    await("the fault", () -> !log.saying("other names", named.address()).isEmpty());
    assertEquals(0, named.hellos.size());
    first.refusal = TwoNodes.notLeader(named.address("localhost"));
    TwoNodes.check(store);
    assertEquals(1, named.messages.size());
  }

  @Test
  void a_node_of_another_authority_is_not_believed() throws Exception {
    FakeNode node = node(stranger.issue("node", 1, "127.0.0.1"), authority);
    assertRefused(node, tls(authority, tomcat), "an authority that tlsAuthority does not hold");
  }

  @Test
  void a_node_whose_certificate_has_expired_is_not_believed() throws Exception {
    assertRefused(node(-1, "127.0.0.1"), tls(authority, tomcat), "has expired");
  }

  @Test
  void a_tomcat_of_another_authority_is_told_so() throws Exception {
    TestAuthority.Issued foreign = stranger.issue("foreign", 1, ROLE);
    assertRefused(node(1, "127.0.0.1"), tls(authority, foreign), "does not take this Tomcat's");
  }

  @Test
  void a_tomcat_whose_certificate_has_expired_is_told_so() throws Exception {
    TestAuthority.Issued old = authority.issue("old", -1, ROLE);
    assertRefused(node(1, "127.0.0.1"), tls(authority, old), "does not take this Tomcat's");
  }

  /** As the store's TLS answers who does not speak it, with an alert; others hang up. */
  @Test
  void where_this_side_speaks_no_tls_it_is_said() throws Exception {
    ServerSocket node = new ServerSocket(0, 0, InetAddress.getByName("127.0.0.1"));
    open.add(0, node);
    Thread alerting =
        new Thread(
            () -> {
              while (!node.isClosed()) {
                try (Socket client = node.accept()) {
                  client.getOutputStream().write(new byte[] {0x15, 3, 3, 0, 2, 2, 10});
                  client.shutdownOutput();
                  while (client.getInputStream().read() >= 0) {}
                } catch (IOException closed) {
                  continue;
                }
              }
            });
    alerting.start();
    SessionStore store = store(300, null, "127.0.0.1:" + node.getLocalPort());
    await("the fault", () -> unavailable(store).contains("the node speaks TLS: give tlsAuthority"));
    assertEquals(1, log.lines(Level.SEVERE).size());
  }

  @Test
  void where_the_node_speaks_no_tls_it_is_said() throws Exception {
    FakeNode node = new FakeNode();
    open.add(0, node);
    assertRefused(node, tls(authority, tomcat), "the node does not speak TLS");
  }

  @Test
  void a_tomcat_without_rights_is_told_once_and_goes_on_as_without_a_store() throws Exception {
    FakeNode node = node(1, "127.0.0.1");
    node.denial = "the certificate names localhost/shop, and the Hello localhost/cart";
    SessionStore store = store(300, tls(authority, tomcat), node.address());
    store.onPush("localhost/cart", push -> {});
    await("attempts", () -> node.hellos.size() > 3);
    assertEquals(1, log.saying("tlsCert", "no right", node.denial).size());
    assertEquals(1, log.lines(Level.SEVERE).size());
    node.denial = null;
    TwoNodes.check(store(20_000, tls(authority, tomcat), node.address()));
  }

  @Test
  void an_application_without_rights_is_named_once_and_costs_the_others_nothing() throws Exception {
    FakeNode node = node(1, "127.0.0.1");
    SessionStore store = store(20_000, tls(authority, tomcat), node.address());
    node.script = (request, stream) -> stream.refuse(request, Refusal.Reason.REASON_FORBIDDEN, "");
    for (int i = 0; i < 3; i++) {
      StoreRefusedException refused =
          assertThrows(StoreRefusedException.class, () -> store.check(TwoNodes.KEY, 1, 1));
      assertEquals(StoreRefusedException.Reason.FORBIDDEN, refused.reason());
    }
    await("the line", () -> log.saying("tlsCert, no right", "a test says so").size() == 1);
    node.script = (request, stream) -> stream.current(request);
    TwoNodes.check(store);
    assertEquals(1, node.hellos.size());
  }

  @Test
  void new_certificates_count_from_the_next_connection_and_bad_ones_never() throws Exception {
    FakeNode before = node(1, "127.0.0.1");
    FakeNode after =
        node(stranger.issue("after", 1, "127.0.0.1"), stranger); // knows the new ones alone
    after.refusal = TwoNodes.notLeader("");
    StoreTls files =
        new StoreTls(
            directory.resolve("used.pem"), directory.resolve("own.pem"), directory.resolve("own"));
    put(authority, tomcat, files);
    SessionStore store = store(20_000, files, before.address(), after.address());
    TwoNodes.check(store);

    Files.write(files.authority(), "no certificate".getBytes(StandardCharsets.UTF_8));
    TwoNodes.check(store); // the stream stands
    before.stream.end();
    TwoNodes.check(store);
    assertEquals(1, log.saying("read before", "tlsAuthority", "no certificate in PEM").size());

    put(stranger, stranger.issue("newer", 1, ROLE), files);
    TwoNodes.check(store);
    after.refusal = null;
    int known = before.hellos.size();
    before.stream.end();
    TwoNodes.check(store);
    assertEquals(known, before.hellos.size());
    assertEquals(1, after.messages.size());
    assertEquals(1, log.saying("read before").size());
    assertEquals(1, log.saying("have changed on disk", "new connections use").size());
  }

  private static void put(TestAuthority believed, TestAuthority.Issued own, StoreTls files)
      throws Exception {
    Files.copy(own.key, files.key(), StandardCopyOption.REPLACE_EXISTING);
    Files.copy(own.cert, files.cert(), StandardCopyOption.REPLACE_EXISTING);
    Files.copy(believed.file, files.authority(), StandardCopyOption.REPLACE_EXISTING);
  }

  @Test
  void files_that_cannot_be_used_are_named() throws Exception {
    TestAuthority.Issued other = authority.issue("other", 1, ROLE);
    Path absent = directory.resolve("absent.pem");
    Path older = directory.resolve("older.key");
    String text = new String(Files.readAllBytes(tomcat.key), StandardCharsets.US_ASCII);
    Files.write(older, text.replace("PRIVATE", "EC PRIVATE").getBytes(StandardCharsets.US_ASCII));
    assertSays(new StoreTls(absent, tomcat.cert, tomcat.key), "tlsAuthority", "absent.pem");
    assertSays(new StoreTls(tomcat.key, tomcat.cert, tomcat.key), "tlsAuthority", "tomcat.key");
    assertSays(new StoreTls(authority.file, tomcat.key, tomcat.key), "tlsCert", "tomcat.key");
    assertSays(new StoreTls(authority.file, tomcat.cert, tomcat.cert), "tlsKey", "tomcat.pem");
    assertSays(new StoreTls(authority.file, tomcat.cert, other.key), "not the key of tlsCert");
    assertSays(new StoreTls(authority.file, tomcat.cert, older), "older.key", "openssl pkcs8");
  }

  private void assertSays(StoreTls files, String... parts) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> store(300, files, "127.0.0.1:1"))
            .getMessage();
    assertTrue(says(message, parts), message);
  }

  @Test
  void two_managers_of_one_store_protect_it_alike() {
    StoreOptions plain = new StoreOptions("127.0.0.1:1", "n1", 300);
    open.add(0, GrpcSessionStore.openAs(plain, 77));
    assertThrows(
        IllegalArgumentException.class,
        () -> GrpcSessionStore.openAs(plain.withTls(tls(authority, tomcat)), 77));
  }

  @Test
  void without_tls_nothing_leaves_the_machine_unless_that_is_allowed() throws Exception {
    FakeNode node = new FakeNode();
    open.add(0, node);
    node.refusal = TwoNodes.notLeader("192.0.2.1:7400");
    store(300, null, node.address()).onPush("localhost/shop", push -> {});
    await("the fault", () -> log.saying("192.0.2.1:7400 is not on the loopback").size() == 1);
    StoreOptions far = new StoreOptions("127.0.0.1:7400,192.0.2.1:7400", "n1", 300);
    assertThrows(IllegalArgumentException.class, far::checkPlaintext);
    far.withPlaintextAllowed(true).checkPlaintext();
    far.withTls(tls(authority, tomcat)).checkPlaintext();
    new StoreOptions("localhost:7400,store.invalid:7400,[::1]:7400", "n1", 300).checkPlaintext();
  }
}
