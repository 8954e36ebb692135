package remora.tomcat.store;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;

/**
 * The sessions of one application at all its Tomcats, as the store knows them: found by what they
 * are labelled with, and ended. Values are not told here, and no id is known.
 *
 * <p>Every call blocks its thread until the leader has answered, at most for the store timeout.
 * What is found was so when the store answered; what is ended can be shown by no Tomcat any more
 * when the call returns.
 *
 * <ul>
 *   <li>{@link StoreRefusedException}: nothing happened and repeating cannot help, as where the
 *       certificate does not speak for the application.
 *   <li>{@link StoreUnavailableException}: no answer in time. Its effect says whether sessions may
 *       have ended, or may yet, all the same; saying it again is harmless.
 * </ul>
 *
 * <p>Where an answer is lost the store is asked again within the call. What the first try ended is
 * not counted then: what is told of ended sessions is a lower bound, and none of those that were
 * meant is left all the same.
 *
 * <p>Thread-safe.
 */
public interface SessionDirectory extends AutoCloseable {

  /** The label that says whose a session is. */
  String PRINCIPAL = "principal";

  /** The label that says by which session at an OpenID provider its user is logged in. */
  String OIDC_SID = "oidc.sid";

  /** The same with who says so, and to whom: {@link #forClient} of the {@code sid}. */
  String OIDC_SESSION = "oidc.session";

  /** The label that says which user of which provider: {@link #forClient} of the {@code sub}. */
  String OIDC_SUBJECT = "oidc.subject";

  /**
   * Every session. They come in pages of 4,000, each of them a walk of the store's table, and all
   * have the one store timeout: of more than come in that time none is told.
   *
   * @return all of them, in the order of their keys
   * @throws StoreUnavailableException also where they are too many for the store timeout
   */
  List<SessionEntry> all();

  /**
   * The sessions that carry a label.
   *
   * @param label {@link #PRINCIPAL}, {@link #OIDC_SID}, {@link #OIDC_SESSION} or {@link
   *     #OIDC_SUBJECT}
   * @param value its whole value
   * @return all of them, in the order of their keys
   */
  List<SessionEntry> labelled(String label, String value);

  /**
   * One session.
   *
   * @param hash all digits of its key, as {@link SessionKey#hashText} gives them
   * @return null if there is none
   */
  SessionEntry find(String hash);

  /**
   * Ends the sessions that carry a label.
   *
   * @param label {@link #PRINCIPAL}, {@link #OIDC_SID}, {@link #OIDC_SESSION} or {@link
   *     #OIDC_SUBJECT}
   * @param value its whole value, not empty
   * @return how many ended at least
   */
  long endLabelled(String label, String value);

  /**
   * Ends one session.
   *
   * @param hash all digits of its key
   * @return true if this ended it; false if there was none by the time the store answered
   */
  boolean end(String hash);

  /**
   * Whether a text is the whole hash of an id, and so names a session here.
   *
   * @param text anything, an id too
   * @return true for as many hexadecimal digits as a hash has, none of them a capital letter
   */
  static boolean isHash(String text) {
    return text.matches("[0-9a-f]{" + 2 * SessionKey.HASH_BYTES + "}");
  }

  /**
   * What an OpenID provider calls something towards one of its clients, so that no other provider's
   * name for anything is the same, nor what it tells another client; as short for every name.
   *
   * @param issuer the provider's {@code iss}
   * @param client the client's id there, which is in {@code aud}
   * @param name as it calls a session or a user
   * @return SHA-256 of the three with a zero byte between, in base64url: 43 characters
   */
  static String forClient(String issuer, String client, String name) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256")
              .digest((issuer + '\0' + client + '\0' + name).getBytes(StandardCharsets.UTF_8));
      return Base64.getUrlEncoder().withoutPadding().encodeToString(hash);
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException("every Java has SHA-256", impossible);
    }
  }

  /** Gives up the shared connection. */
  @Override
  void close();
}
