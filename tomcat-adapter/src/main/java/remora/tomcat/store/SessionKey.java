package remora.tomcat.store;

import java.util.Arrays;

/** Names a session record: application and a hash of the bare session id. Immutable. */
public final class SessionKey {

  /** Length of the hash in bytes. */
  public static final int HASH_BYTES = 16;

  private final String application;
  private final byte[] hash;

  /**
   * Makes a key.
   *
   * @param application host name, context path and {@code ##version} where the context has one,
   *     after the manager's {@code app} and a colon if given, as in {@code shop:localhost/cart##2};
   *     1 to 256 bytes of UTF-8
   * @param hash exactly {@value #HASH_BYTES} bytes: the first of the (keyed) SHA-256 of the bare id
   * @throws IllegalArgumentException if either is out of range
   */
  public SessionKey(String application, byte[] hash) {
    if (application.isEmpty()) {
      throw new IllegalArgumentException("the application of a session key must not be empty");
    }
    if (hash.length != HASH_BYTES) {
      throw new IllegalArgumentException(
          "a session key has " + HASH_BYTES + " bytes of hash, not " + hash.length);
    }
    this.application = application;
    this.hash = hash.clone();
  }

  /**
   * The namespace.
   *
   * @return host, context path and version
   */
  public String application() {
    return application;
  }

  /**
   * The hash of the bare id.
   *
   * @return a copy
   */
  public byte[] hash() {
    return hash.clone();
  }

  /**
   * By what records may later be spread over groups of store nodes: a session whose new key has the
   * slot of the old will then be renamed within one.
   *
   * @return the first byte of the hash, 0 to 255
   */
  public int slot() {
    return hash[0] & 0xff;
  }

  @Override
  public boolean equals(Object other) {
    if (!(other instanceof SessionKey)) {
      return false;
    }
    SessionKey that = (SessionKey) other;
    return Arrays.equals(hash, that.hash) && application.equals(that.application);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(hash);
  }

  /**
   * What people tell sessions apart by.
   *
   * @return the first eight hexadecimal digits of the hash
   */
  public String shortHash() {
    return hex(4);
  }

  /**
   * The hash, where a text has to stand for an id that only clients know.
   *
   * @return all of it, in hexadecimal
   */
  public String hashText() {
    return hex(hash.length);
  }

  private String hex(int bytes) {
    StringBuilder text = new StringBuilder(2 * bytes);
    for (int i = 0; i < bytes; i++) {
      text.append(Character.forDigit((hash[i] >> 4) & 0xf, 16));
      text.append(Character.forDigit(hash[i] & 0xf, 16));
    }
    return text.toString();
  }

  /** Application and hash in hexadecimal; safe for logs, as the hash opens no session. */
  @Override
  public String toString() {
    return application + '/' + hashText();
  }
}
