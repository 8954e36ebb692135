package remora.tomcat.seal;

import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What one state of the key file says. The first key encrypts, all of them open. Immutable; its
 * texts name lines, never what stands in them.
 */
final class Keys {

  /** A key of AES-256, and one as strong for HMAC-SHA-256, in bytes. */
  static final int KEY_BYTES = 32;

  /** Who rotates keys keeps two or three; a file with more is another file. */
  private static final int KEYS_MAX = 64;

  private static final Pattern ID = Pattern.compile("[A-Za-z0-9_.-]{1,32}");
  private static final String IDS = "ids";
  private static final String PLAINTEXT = "plaintext";

  private final Map<String, byte[]> values = new LinkedHashMap<>();
  private String first;
  private byte[] ids;
  private boolean plaintextAccepted;

  private Keys() {}

  /**
   * Reads a key file.
   *
   * @param lines of the file
   * @throws IllegalArgumentException with the rest of a sentence that begins with the file's name
   */
  static Keys parse(List<String> lines) {
    Keys keys = new Keys();
    for (int i = 0; i < lines.size(); i++) {
      String line = lines.get(i).replaceFirst("#.*", "").trim();
      if (!line.isEmpty()) {
        keys.add(line.split("\\s+"), "line " + (i + 1));
      }
    }
    if (keys.first == null) {
      throw new IllegalArgumentException(
          "holds no key: a line has a name for it and 32 random bytes in base64, as `openssl rand"
              + " -base64 32` makes them");
    }
    return keys;
  }

  private void add(String[] words, String line) {
    if (words.length != 2) {
      throw new IllegalArgumentException(line + " has not two words: a name and a key in base64");
    } else if (words[0].equals(PLAINTEXT)) {
      if (!words[1].equals("accepted")) {
        throw new IllegalArgumentException(line + " can only say \"plaintext accepted\"");
      }
      plaintextAccepted = true;
    } else if (words[0].equals(IDS)) {
      if (ids != null) {
        throw new IllegalArgumentException(line + " names a second key for ids");
      }
      ids = key(words[1], line);
    } else if (!ID.matcher(words[0]).matches()) {
      throw new IllegalArgumentException(
          line + " has no name before its key: 1 to 32 letters, digits, \"-\", \"_\" or \".\"");
    } else if (values.size() == KEYS_MAX) {
      throw new IllegalArgumentException(line + " is one key too many: " + KEYS_MAX + " at most");
    } else if (values.put(words[0], key(words[1], line)) != null) {
      throw new IllegalArgumentException(line + " uses a name a second time");
    } else if (first == null) {
      first = words[0];
    }
  }

  private static byte[] key(String word, String line) {
    byte[] key;
    try {
      key = Base64.getDecoder().decode(word);
    } catch (IllegalArgumentException notBase64) {
      throw new IllegalArgumentException(line + " has no base64 behind its name");
    }
    if (key.length != KEY_BYTES) {
      throw new IllegalArgumentException(
          line + " has a key of " + key.length + " bytes; it takes " + KEY_BYTES);
    }
    return key;
  }

  /** Under which name new values are encrypted. */
  String first() {
    return first;
  }

  /** The key of this name, not copied; null if the file has none. */
  byte[] key(String name) {
    return values.get(name);
  }

  /** Under what ids are hashed, not copied; null if the file does not say. */
  byte[] ids() {
    return ids;
  }

  /** Whether values that are not encrypted are believed, too. */
  boolean acceptsPlaintext() {
    return plaintextAccepted;
  }

  boolean hasIdsOf(Keys other) {
    return Arrays.equals(ids, other.ids);
  }
}
