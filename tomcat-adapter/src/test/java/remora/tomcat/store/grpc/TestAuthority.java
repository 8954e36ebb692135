package remora.tomcat.store.grpc;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.concurrent.atomic.AtomicLong;
import javax.security.auth.x500.X500Principal;

/**
 * An authority that lives as long as a test, and issues what certificates it asks for. The JDK has
 * no public class that makes one; the few forms of DER that X.509 needs are written here by hand.
 */
final class TestAuthority {

  /** The subject's other names, as RFC 5280 tags them. */
  private static final int URI_TAG = 0x86;

  private static final int DNS_TAG = 0x82;
  private static final int IP_TAG = 0x87;

  private static final int SEQUENCE = 0x30;
  private static final int OCTETS = 0x04;
  private static final AtomicLong SERIALS = new AtomicLong(1);
  private static final DateTimeFormatter UTC_TIME =
      DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);

  /** Its own certificate, in PEM. */
  final Path file;

  private final X500Principal name;
  private final KeyPair keys;

  /** A certificate and its key, in PEM. */
  static final class Issued {
    final Path cert;
    final Path key;

    private Issued(Path cert, Path key) {
      this.cert = cert;
      this.key = key;
    }
  }

  TestAuthority(Path directory, String name) throws Exception {
    this.name = new X500Principal("CN=" + name);
    this.keys = newKeys();
    this.file = directory.resolve(name + ".pem");
    byte[] mayIssue =
        extension("551d13", der(SEQUENCE, new byte[] {0x01, 0x01, (byte) 0xff})); // CA: true
    write(file, "CERTIFICATE", certificate(this.name, keys.getPublic(), 1, mayIssue));
  }

  private static KeyPair newKeys() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  /**
   * Issues a certificate.
   *
   * @param called name of the files
   * @param days how long it is valid; negative for one that has expired
   * @param names host names, IPv4 addresses and URIs
   */
  Issued issue(String called, int days, String... names) throws Exception {
    KeyPair own = newKeys();
    ByteArrayOutputStream others = new ByteArrayOutputStream();
    for (String each : names) {
      if (each.contains("://")) {
        others.write(der(URI_TAG, each.getBytes(StandardCharsets.US_ASCII)));
      } else if (each.matches("[0-9.]+")) {
        others.write(der(IP_TAG, InetAddress.getByName(each).getAddress()));
      } else {
        others.write(der(DNS_TAG, each.getBytes(StandardCharsets.US_ASCII)));
      }
    }
    byte[] alternative = extension("551d11", der(SEQUENCE, others.toByteArray()));
    byte[] certificate =
        certificate(new X500Principal("CN=" + called), own.getPublic(), days, alternative);
    Path directory = file.getParent();
    Issued issued =
        new Issued(directory.resolve(called + ".pem"), directory.resolve(called + ".key"));
    write(issued.cert, "CERTIFICATE", certificate);
    write(issued.key, "PRIVATE KEY", own.getPrivate().getEncoded());
    return issued;
  }

  private byte[] certificate(X500Principal of, PublicKey key, int days, byte[] extension)
      throws Exception {
    byte[] ecdsaWithSha256 = der(SEQUENCE, der(0x06, hex("2a8648ce3d040302")));
    Instant from = Instant.now().minus(10, ChronoUnit.DAYS);
    byte[] valid = der(SEQUENCE, time(from), time(Instant.now().plus(days, ChronoUnit.DAYS)));
    byte[] body =
        der(
            SEQUENCE,
            der(0xa0, der(0x02, new byte[] {2})),
            der(0x02, BigInteger.valueOf(SERIALS.getAndIncrement()).toByteArray()),
            ecdsaWithSha256,
            name.getEncoded(),
            valid,
            of.getEncoded(),
            key.getEncoded(),
            der(0xa3, der(SEQUENCE, extension)));
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(keys.getPrivate());
    signature.update(body);
    return der(SEQUENCE, body, ecdsaWithSha256, der(0x03, new byte[] {0}, signature.sign()));
  }

  private static byte[] time(Instant when) throws IOException {
    return der(0x17, UTC_TIME.format(when).getBytes(StandardCharsets.US_ASCII));
  }

  private static byte[] extension(String oid, byte[] value) throws IOException {
    return der(SEQUENCE, der(0x06, hex(oid)), der(OCTETS, value));
  }

  private static byte[] hex(String digits) {
    byte[] bytes = new byte[digits.length() / 2];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) Integer.parseInt(digits.substring(2 * i, 2 * i + 2), 16);
    }
    return bytes;
  }

  private static byte[] der(int tag, byte[]... parts) throws IOException {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      content.write(part);
    }
    ByteArrayOutputStream whole = new ByteArrayOutputStream();
    whole.write(tag);
    int length = content.size();
    if (length > 0xff) {
      whole.write(0x82);
      whole.write(length >> 8);
    } else if (length > 0x7f) {
      whole.write(0x81);
    }
    whole.write(length);
    whole.write(content.toByteArray());
    return whole.toByteArray();
  }

  private static void write(Path file, String what, byte[] der) throws IOException {
    String text =
        "-----BEGIN "
            + what
            + "-----\n"
            + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
            + "\n-----END "
            + what
            + "-----\n";
    Files.write(file, text.getBytes(StandardCharsets.US_ASCII));
  }
}
