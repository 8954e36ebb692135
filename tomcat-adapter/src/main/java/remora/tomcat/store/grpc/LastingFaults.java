package remora.tomcat.store.grpc;

import io.grpc.Status;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import remora.proto.v1.Refusal;

/**
 * What the end of a stream says that another try does not cure, in words that name what to do. Java
 * has no types for most of these faults, so their messages are read; one that is not known here
 * counts as an ordinary failure, and its own message is what people get.
 */
final class LastingFaults {

  /** Causes of causes; more than any library nests. */
  private static final int CAUSES_MAX = 16;

  /** What nodes say of a certificate, or of none: the JDK sends none that nobody would trust. */
  private static final Pattern ALERT =
      Pattern.compile(
          "fatal alert: ([a-z_]*certificate[a-z_]*|unknown_ca|access_denied|decrypt_error"
              + "|handshake_failure)");

  /** What a record of TLS begins with, an alert of version 3.x, where HTTP/2 was expected. */
  private static final Pattern TLS_FOR_HTTP = Pattern.compile("not SETTINGS\\b.*\\b150[0-9a-f]");

  private LastingFaults() {}

  /**
   * A sentence without the node's name; null if another try may succeed, or the node itself has
   * said what to do.
   */
  static String of(Status status, Refusal refusal) {
    if (status.getCode() == Status.Code.PERMISSION_DENIED) {
      return forbidden(refusal == null ? status.getDescription() : refusal.getMessage());
    } else if (refusal != null) {
      return null;
    }
    String found = sentence(String.valueOf(status.getDescription()), null);
    Throwable cause = status.getCause();
    for (int i = 0; cause != null && i < CAUSES_MAX; i++) {
      String nearer = sentence(String.valueOf(cause.getMessage()), cause);
      found = nearer != null ? nearer : found;
      cause = cause.getCause();
    }
    return found;
  }

  /** What a node says of rights, with who lacks them. */
  static String forbidden(String text) {
    return "the node gives this Tomcat's certificate, tlsCert, no right to what it asks: " + text;
  }

  private static String sentence(String message, Throwable cause) {
    Matcher alert = ALERT.matcher(message);
    if (alert.find()) {
      return "the node does not take this Tomcat's certificate, tlsCert ("
          + alert.group(1)
          + "): it must be valid, and of an authority that the store trusts";
    } else if (cause instanceof CertificateExpiredException) {
      return "the node's certificate has expired (" + message + "): the node needs a new one";
    } else if (cause instanceof CertificateNotYetValidException) {
      return "the node's certificate is not valid yet (" + message + "): do the clocks agree?";
    } else if (isAboutNames(message, cause)) {
      return "the node's certificate is for other names ("
          + message
          + "): name the node in store=\"...\" as its certificate does, or give it one for this"
          + " name";
    } else if (message.contains("PKIX") || message.contains("unable to find valid certification")) {
      return "the node's certificate is of an authority that tlsAuthority does not hold";
    } else if (message.contains("not an SSL/TLS record")) {
      return "the node does not speak TLS: give it its own tls-authority, tls-cert and tls-key, or"
          + " take tlsAuthority, tlsCert and tlsKey away here";
    } else if (TLS_FOR_HTTP.matcher(message).find()) {
      return "the node speaks TLS: give tlsAuthority, tlsCert and tlsKey";
    }
    return null;
  }

  private static boolean isAboutNames(String message, Throwable cause) {
    return cause instanceof CertificateException
        && (message.startsWith("No subject alternative") || message.startsWith("No name matching"));
  }
}
