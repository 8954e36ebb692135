package remora.tomcat.store;

import java.nio.file.Path;
import java.util.Objects;

/**
 * The files by which this Tomcat and the store's nodes know each other, all in PEM. Immutable; what
 * stands in the files may change, and counts for connections that are made afterwards.
 */
public final class StoreTls {

  private final Path authority;
  private final Path cert;
  private final Path key;

  /**
   * Names the files, which are not looked at yet.
   *
   * @param authority certificates of those whom this Tomcat believes about nodes
   * @param cert this Tomcat's own certificate, and those between it and the store's authority
   * @param key the private key of the certificate, in PKCS#8
   */
  public StoreTls(Path authority, Path cert, Path key) {
    this.authority = authority;
    this.cert = cert;
    this.key = key;
  }

  /**
   * Whose word counts about a node.
   *
   * @return a file
   */
  public Path authority() {
    return authority;
  }

  /**
   * By what a node knows this Tomcat.
   *
   * @return a file
   */
  public Path cert() {
    return cert;
  }

  /**
   * What proves that the certificate is this Tomcat's.
   *
   * @return a file
   */
  public Path key() {
    return key;
  }

  @Override
  public boolean equals(Object other) {
    if (!(other instanceof StoreTls)) {
      return false;
    }
    StoreTls that = (StoreTls) other;
    return authority.equals(that.authority) && cert.equals(that.cert) && key.equals(that.key);
  }

  @Override
  public int hashCode() {
    return Objects.hash(authority, cert, key);
  }
}
