package remora.tomcat.store.grpc;

import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.tomcat.store.FileState;
import remora.tomcat.store.StoreTls;

/**
 * What connections over TLS are made with: the JDK's own provider, TLS 1.2 or 1.3, this Tomcat's
 * certificate, and nobody's word but the configured authority's. Thread-safe.
 *
 * <p>The files are looked at before each connection. New ones count from there on, and connections
 * that stand are left alone; what cannot be used is said once, and what was read before goes on. A
 * connection is made afresh for every attempt, so a context for each state of the files is all that
 * reloading takes: grpc-java's own reloading managers would add a timer, and a log line at each of
 * its rounds.
 */
final class Credentials {

  /** Older ones are broken. */
  private static final List<String> PROTOCOLS = Arrays.asList("TLSv1.3", "TLSv1.2");

  private static final Log LOG = LogFactory.getLog(Credentials.class);

  private final StoreTls files;
  private FileState seen;
  private volatile SslContext newest;

  /**
   * Reads the files.
   *
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  Credentials(StoreTls files) {
    this.files = files;
    seen = look();
    newest = load();
  }

  /** What a connection that begins now is made with. */
  SslContext newest() {
    return newest;
  }

  /** Looks at the files, and reads them if they have changed. May take as long as a disk does. */
  synchronized void refresh() {
    FileState now = look();
    if (now.equals(seen)) {
      return;
    }
    seen = now;
    try {
      newest = load();
      LOG.info("session store: new connections use the certificates that have changed on disk");
    } catch (IllegalArgumentException bad) {
      LOG.error(
          "session store: the certificates have changed on disk and cannot be used; new connections"
              + " go on with those that were read before: "
              + bad.getMessage());
    }
  }

  private FileState look() {
    return FileState.of(files.authority(), files.cert(), files.key());
  }

  private SslContext load() {
    X509Certificate[] authority = PemFiles.certificates("tlsAuthority", files.authority());
    X509Certificate[] chain = PemFiles.certificates("tlsCert", files.cert());
    PrivateKey key = PemFiles.key("tlsKey", files.key(), chain[0]);
    try {
      List<String> protocols = new ArrayList<>(PROTOCOLS);
      protocols.retainAll(
          Arrays.asList(SSLContext.getDefault().getSupportedSSLParameters().getProtocols()));
      return GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.JDK)
          .trustManager(authority)
          .keyManager(key, chain)
          .protocols(protocols)
          .build();
    } catch (GeneralSecurityException | IOException | RuntimeException unusable) {
      throw new IllegalArgumentException(
          "tlsAuthority, tlsCert and tlsKey cannot be used together: " + unusable, unusable);
    }
  }
}
