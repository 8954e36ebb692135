package remora.tomcat.seal;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.Map;
import javax.crypto.Cipher;
import javax.crypto.Mac;
import javax.crypto.SecretKey;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;
import remora.tomcat.codec.Closed;
import remora.tomcat.codec.Encoded;
import remora.tomcat.store.SessionKey;

/**
 * Seals and opens the values of one session, by one state of the key file. Made for one command and
 * used by one thread: what it derives serves all values of that command.
 *
 * <p>A sealed value, as FORMAT.md has it: the length of the key's name, 1 byte; the name; a nonce
 * of 12 bytes; type and bytes, encrypted, and 16 bytes that prove them.
 */
final class Sealer {

  /** What the nonce of GCM takes without being hashed first, in bytes. */
  private static final int NONCE_BYTES = 12;

  /** The full length that GCM has, in bits: short proofs can be guessed. */
  private static final int PROOF_BITS = 128;

  /** The type tag within, in bytes. */
  private static final int TYPE_BYTES = 4;

  /** So that no other use of a file's key gives the same. */
  private static final byte[] PURPOSE = "remora attribute value 1".getBytes(StandardCharsets.UTF_8);

  private static final SecureRandom RANDOM = new SecureRandom();

  private final Keys keys;
  private final byte[] session;
  private final Map<String, SecretKey> derived = new HashMap<>(2);
  private final Cipher cipher;

  Sealer(Keys keys, SessionKey key) {
    this.keys = keys;
    byte[] application = key.application().getBytes(StandardCharsets.UTF_8);
    this.session =
        ByteBuffer.allocate(TYPE_BYTES + application.length + SessionKey.HASH_BYTES)
            .putInt(application.length)
            .put(application)
            .put(key.hash())
            .array();
    try {
      cipher = Cipher.getInstance("AES/GCM/NoPadding");
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("looked for at the start", impossible);
    }
  }

  /**
   * Whether this Java can do what is needed.
   *
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  static void check() {
    try {
      Mac.getInstance("HmacSHA256");
      Cipher.getInstance("AES/GCM/NoPadding");
      if (Cipher.getMaxAllowedKeyLength("AES") < Keys.KEY_BYTES * Byte.SIZE) {
        throw new GeneralSecurityException("its policy allows no keys of 256 bits");
      }
    } catch (GeneralSecurityException lacking) {
      throw new IllegalArgumentException(
          "encryptionKeys needs a Java that has AES-256-GCM: " + lacking.getMessage());
    }
  }

  /** A value for the store, under the first key. */
  byte[] seal(String attribute, int type, byte[] bytes) {
    byte[] name = keys.first().getBytes(StandardCharsets.US_ASCII);
    byte[] nonce = new byte[NONCE_BYTES];
    RANDOM.nextBytes(nonce);
    int plain = TYPE_BYTES + bytes.length;
    ByteBuffer sealed =
        ByteBuffer.allocate(1 + name.length + NONCE_BYTES + plain + PROOF_BITS / Byte.SIZE);
    sealed.put((byte) name.length).put(name).put(nonce);
    try {
      begin(Cipher.ENCRYPT_MODE, keys.first(), nonce, attribute);
      ByteBuffer input = ByteBuffer.allocate(plain).putInt(type).put(bytes);
      input.flip();
      cipher.doFinal(input, sealed);
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("a value cannot be encrypted", impossible);
    }
    return sealed.array();
  }

  /** A value of the store's: what was sealed, or a {@link Closed} that keeps it as it is. */
  Encoded open(String attribute, int sealedType, byte[] sealed) {
    int nameLength = sealed.length == 0 ? 0 : sealed[0];
    int head = 1 + nameLength + NONCE_BYTES;
    if (nameLength <= 0 || sealed.length < head + TYPE_BYTES + PROOF_BITS / Byte.SIZE) {
      return Closed.of(Closed.Why.CHANGED, sealedType, sealed);
    }
    String name = new String(sealed, 1, nameLength, StandardCharsets.US_ASCII);
    if (keys.key(name) == null) {
      return Closed.of(Closed.Why.NO_KEY, sealedType, sealed);
    }
    byte[] nonce = new byte[NONCE_BYTES];
    System.arraycopy(sealed, 1 + nameLength, nonce, 0, NONCE_BYTES);
    try {
      begin(Cipher.DECRYPT_MODE, name, nonce, attribute);
      byte[] opened = cipher.doFinal(sealed, head, sealed.length - head);
      byte[] bytes = new byte[opened.length - TYPE_BYTES];
      System.arraycopy(opened, TYPE_BYTES, bytes, 0, bytes.length);
      return new Encoded(ByteBuffer.wrap(opened).getInt(), bytes);
    } catch (GeneralSecurityException changed) {
      return Closed.of(Closed.Why.CHANGED, sealedType, sealed);
    }
  }

  private void begin(int mode, String key, byte[] nonce, String attribute)
      throws GeneralSecurityException {
    SecretKey own = derived.get(key);
    if (own == null) {
      own = derive(keys.key(key));
      derived.put(key, own);
    }
    cipher.init(mode, own, new GCMParameterSpec(PROOF_BITS, nonce));
    cipher.updateAAD(attribute.getBytes(StandardCharsets.UTF_8));
  }

  private SecretKey derive(byte[] key) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    mac.update(PURPOSE);
    return new SecretKeySpec(mac.doFinal(session), "AES");
  }
}
