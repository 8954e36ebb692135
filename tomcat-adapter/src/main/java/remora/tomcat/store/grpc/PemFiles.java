package remora.tomcat.store.grpc;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Certificates and keys as the JDK has them, from files in PEM. Every fault is an {@code
 * IllegalArgumentException} whose sentence names the attribute and the file.
 */
final class PemFiles {

  /** A file that is larger was named by mistake; authorities of a whole company take a tenth. */
  private static final long FILE_BYTES_MAX = 1024 * 1024;

  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z ]*PRIVATE KEY)-----([^-]*)-----END");

  private static final String PKCS8 = "PRIVATE KEY";

  private PemFiles() {}

  /** All certificates in a file, in their order; at least one. */
  static X509Certificate[] certificates(String attribute, Path file) {
    Collection<? extends Certificate> found;
    try {
      found =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(read(attribute, file)));
    } catch (CertificateException malformed) {
      throw fault(attribute, file, "is no certificate in PEM: " + malformed.getMessage());
    }
    if (found.isEmpty()) {
      throw fault(attribute, file, "holds no certificate in PEM");
    }
    return found.toArray(new X509Certificate[0]);
  }

  /** The private key in a file, which belongs to a certificate. */
  static PrivateKey key(String attribute, Path file, X509Certificate of) {
    String text = new String(read(attribute, file), StandardCharsets.US_ASCII);
    Matcher block = BLOCK.matcher(text);
    if (!block.find()) {
      throw fault(attribute, file, "holds no private key in PEM");
    } else if (!block.group(1).equals(PKCS8)) {
      throw fault(
          attribute,
          file,
          "holds a key of the form \""
              + block.group(1)
              + "\": write it as unencrypted PKCS#8, as `openssl pkcs8 -topk8 -nocrypt` does");
    }
    PublicKey known = of.getPublicKey();
    try {
      byte[] encoded = Base64.getMimeDecoder().decode(block.group(2));
      PrivateKey key =
          KeyFactory.getInstance(known.getAlgorithm())
              .generatePrivate(new PKCS8EncodedKeySpec(encoded));
      if (belong(key, known)) {
        return key;
      }
    } catch (GeneralSecurityException | IllegalArgumentException unlike) {
      throw fault(
          attribute,
          file,
          "holds no key of the kind that tlsCert is for (" + known.getAlgorithm() + ")");
    }
    throw fault(attribute, file, "is not the key of tlsCert");
  }

  private static boolean belong(PrivateKey key, PublicKey known) throws GeneralSecurityException {
    String algorithm = known.getAlgorithm();
    Signature signature =
        Signature.getInstance(
            algorithm.equals("RSA")
                ? "SHA256withRSA"
                : algorithm.equals("EC") ? "SHA256withECDSA" : algorithm);
    byte[] text = PKCS8.getBytes(StandardCharsets.US_ASCII);
    signature.initSign(key);
    signature.update(text);
    byte[] signed = signature.sign();
    signature.initVerify(known);
    signature.update(text);
    return signature.verify(signed);
  }

  private static byte[] read(String attribute, Path file) {
    try {
      if (Files.size(file) > FILE_BYTES_MAX) {
        throw fault(attribute, file, "is longer than " + FILE_BYTES_MAX + " bytes");
      }
      return Files.readAllBytes(file);
    } catch (IOException unreadable) {
      throw fault(attribute, file, "cannot be read: " + unreadable);
    }
  }

  private static IllegalArgumentException fault(String attribute, Path file, String what) {
    return new IllegalArgumentException(attribute + "=\"" + file + "\" " + what);
  }
}
