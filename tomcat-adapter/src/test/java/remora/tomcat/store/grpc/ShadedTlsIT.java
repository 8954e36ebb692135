package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static remora.tomcat.Conditions.await;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreTls;

/**
 * The jar as users get it, without the native parts of its libraries, speaks HTTP/2 over TLS: both
 * certificates are shown and taken. The far side is the JDK's own, so that it is not the jar that
 * talks to itself.
 */
@Timeout(60)
class ShadedTlsIT {

  private static final char[] NO_PASSWORD = {};

  /** What every client of HTTP/2 begins with. */
  private static final String PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

  @Test
  void the_jar_speaks_tls_without_native_code(@TempDir Path directory) throws Exception {
    assertNotNull(Class.forName("remora.shaded.io.grpc.ManagedChannel"), "not the shaded jar");
    TestAuthority authority = new TestAuthority(directory, "authority");
    TestAuthority.Issued tomcat = authority.issue("tomcat", 1, "remora://adapter/*");
    StoreTls files = new StoreTls(authority.file, tomcat.cert, tomcat.key);
    try (SSLServerSocket node = listen(authority, authority.issue("node", 1, "127.0.0.1"));
        SessionStore store = open("127.0.0.1:" + node.getLocalPort(), files)) {
      store.onPush("localhost/shop", push -> {});
      await("an attempt that is not given up for the time that the JDK takes", () -> isMade(node));
    }
  }

  private static boolean isMade(SSLServerSocket node) throws IOException {
    try (SSLSocket client = (SSLSocket) node.accept()) {
      byte[] first = new byte[PREFACE.length()];
      new DataInputStream(client.getInputStream()).readFully(first);
      assertEquals(PREFACE, new String(first, StandardCharsets.US_ASCII));
      assertEquals("CN=tomcat", client.getSession().getPeerPrincipal().getName());
      return true;
    } catch (EOFException | SocketException | SSLException givenUp) {
      return false;
    }
  }

  private static SessionStore open(String address, StoreTls files) {
    return GrpcSessionStore.open(new StoreOptions(address, "n1", 300).withTls(files));
  }

  private static SSLServerSocket listen(TestAuthority clients, TestAuthority.Issued own)
      throws Exception {
    X509Certificate[] chain = PemFiles.certificates("cert", own.cert);
    PrivateKey key = PemFiles.key("key", own.key, chain[0]);
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    store.setKeyEntry("node", key, NO_PASSWORD, chain);
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, NO_PASSWORD);
    KeyStore believed = KeyStore.getInstance("PKCS12");
    believed.load(null, null);
    believed.setCertificateEntry("a", PemFiles.certificates("authority", clients.file)[0]);
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(believed);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    SSLServerSocket socket =
        (SSLServerSocket)
            context
                .getServerSocketFactory()
                .createServerSocket(0, 0, InetAddress.getByName("127.0.0.1"));
    socket.setNeedClientAuth(true);
    SSLParameters asked = socket.getSSLParameters();
    // Java 8 got the method in an update, which its own signatures for compilers do not show.
    SSLParameters.class
        .getMethod("setApplicationProtocols", String[].class)
        .invoke(asked, (Object) new String[] {"h2"});
    socket.setSSLParameters(asked);
    return socket;
  }
}
