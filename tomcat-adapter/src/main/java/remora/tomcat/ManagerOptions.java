package remora.tomcat;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.catalina.Context;
import remora.tomcat.seal.KeyFile;
import remora.tomcat.store.SessionLimit;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreTls;

/**
 * The attributes of the {@code <Manager>} element as written, and what they mean. Tomcat only logs
 * what a setter throws, so the texts are judged when the manager starts.
 */
final class ManagerOptions {

  /** The store takes no longer application names, in bytes of UTF-8. */
  private static final int APPLICATION_BYTES_MAX = 256;

  /** Shorter keys can be tried out. */
  private static final int KEY_BYTES_MIN = 16;

  /** The files of TLS: all are named, or none. */
  private static final int TLS_FILES = 3;

  /** The store takes no longer URLs, in bytes. */
  private static final int URL_BYTES_MAX = 256;

  /** Scheme, a host or an IPv6 address in brackets, and perhaps a port. */
  private static final Pattern URL =
      Pattern.compile("https?://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+])(:[0-9]{1,5})?");

  private static final String URL_FORM =
      "it is \"http://host:port\" or \"https://host:port\", without a path, such as"
          + " \"http://10.0.0.5:8080\".";

  /** Ports of TCP have 16 bits. */
  private static final int PORT_MAX = 0xffff;

  private static final Pattern DURATION = Pattern.compile("([0-9]{1,9})(ms|s)");

  String store;
  String app;
  String node;
  String url;
  String mode = "protect";
  String onStoreLoss = "serve";
  String onConflict = "refuse";
  String onUnserializable = "local";
  int sessionLimit;
  String onSessionLimit = "end";
  boolean persistEmpty;
  String storeTimeout;
  String tlsAuthority;
  String tlsCert;
  String tlsKey;
  boolean allowPlaintext;
  String encryptionKeys;
  String key;
  String keyFile;

  /**
   * The application's name in the store.
   *
   * @param context the manager's context
   * @return {@code app:host/path##version}
   * @throws IllegalArgumentException with a sentence for the administrator if it is too long
   */
  String application(Context context) {
    String name = (app == null || app.isEmpty() ? "" : app + ":") + plainName(context);
    if (name.getBytes(StandardCharsets.UTF_8).length > APPLICATION_BYTES_MAX) {
      throw new IllegalArgumentException(
          "The application's name \""
              + name
              + "\" is longer than "
              + APPLICATION_BYTES_MAX
              + " bytes: choose a shorter app=\"...\" or context path.");
    }
    return name;
  }

  /**
   * What an application is called without a namespace.
   *
   * @param context the application
   * @return {@code host/path##version}
   */
  static String plainName(Context context) {
    String version = context.getWebappVersion();
    return context.getParent().getName()
        + context.getPath()
        + (version == null || version.isEmpty() ? "" : "##" + version);
  }

  /**
   * Where proxies reach this Tomcat, if somebody says so.
   *
   * @return a URL without a path, or null
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  String url() {
    if (url == null) {
      return null;
    }
    String bare = url.trim().replaceFirst("/$", "");
    Matcher matcher = URL.matcher(bare);
    if (!matcher.matches() || bare.length() > URL_BYTES_MAX || !isPort(matcher.group(2))) {
      throw new IllegalArgumentException(
          "url=\"" + url + "\" is not where a proxy reaches this Tomcat: " + URL_FORM);
    } else if (isWildcard(matcher.group(1))) {
      throw new IllegalArgumentException(
          "url=\"" + url + "\" names all addresses of a machine and no machine: " + URL_FORM);
    }
    return bare;
  }

  private static boolean isPort(String colonAndPort) {
    int port = colonAndPort == null ? 1 : Integer.parseInt(colonAndPort.substring(1));
    return port > 0 && port <= PORT_MAX;
  }

  private static boolean isWildcard(String host) {
    return host.matches("0\\.0\\.0\\.0|\\[[0:]+]");
  }

  /**
   * Whether sessions live as under Tomcat's own manager and the store is only told of them.
   *
   * @return false where they outlive their Tomcat
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  boolean observes() {
    return choice("mode", mode, "protect", "observe") == 1;
  }

  /**
   * How the manager runs, in a word for the store's registry.
   *
   * @return {@code observe}, {@code serve} or {@code refuse}
   */
  String way() {
    return observes() ? mode : onStoreLoss;
  }

  /**
   * What becomes of requests with sessions while the store is away.
   *
   * @return whether this Tomcat goes on by itself; else they get a 503
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  boolean serves() {
    return choice("onStoreLoss", onStoreLoss, "serve", "refuse") == 0;
  }

  /**
   * What becomes of an attribute that another Tomcat changed too.
   *
   * @return whether this Tomcat's value is written over the other's
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  boolean overwrites() {
    return choice("onConflict", onConflict, "refuse", "overwrite") == 1;
  }

  /**
   * What becomes of a value that cannot be stored.
   *
   * @return whether it stays on this Tomcat; else its request fails
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  boolean keepsLocal() {
    return choice("onUnserializable", onUnserializable, "local", "fail") == 0;
  }

  /**
   * How many sessions one user may have.
   *
   * @return null for any number
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  SessionLimit limit() {
    boolean ends = choice("onSessionLimit", onSessionLimit, "end", "refuse") == 0;
    if (sessionLimit < 0 || sessionLimit > SessionLimit.SESSIONS_MAX) {
      throw new IllegalArgumentException(
          "sessionLimit=\""
              + sessionLimit
              + "\" is out of range: it is 1 to "
              + SessionLimit.SESSIONS_MAX
              + ", or 0 for no limit.");
    }
    return sessionLimit == 0 ? null : new SessionLimit(sessionLimit, ends);
  }

  private static int choice(String name, String value, String first, String second) {
    if (first.equals(value)) {
      return 0;
    } else if (second.equals(value)) {
      return 1;
    }
    throw new IllegalArgumentException(
        name + "=\"" + value + "\" is not known: it is \"" + first + "\" or \"" + second + "\".");
  }

  /**
   * Where the store is.
   *
   * @param jvmRoute the Engine's route, or null
   * @return options for the shared connection
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  StoreOptions storeOptions(String jvmRoute) {
    if (store == null || store.trim().isEmpty()) {
      throw new IllegalArgumentException(
          "The <Manager> element needs store=\"host:port,host:port,...\": the client addresses of"
              + " the session store's nodes.");
    }
    String name =
        node != null ? node : jvmRoute != null ? jvmRoute : hostName(System.getenv("HOSTNAME"));
    StoreOptions asked =
        new StoreOptions(store, name, timeoutMillis())
            .withTls(tls())
            .withPlaintextAllowed(allowPlaintext);
    asked.checkPlaintext();
    return asked;
  }

  /** The files of TLS; null where none is named. */
  private StoreTls tls() {
    List<String> missing = new ArrayList<>();
    addIfMissing(missing, "tlsAuthority", tlsAuthority);
    addIfMissing(missing, "tlsCert", tlsCert);
    addIfMissing(missing, "tlsKey", tlsKey);
    if (missing.size() == TLS_FILES) {
      return null;
    } else if (!missing.isEmpty()) {
      throw new IllegalArgumentException(
          "TLS needs tlsAuthority, tlsCert and tlsKey; "
              + String.join(" and ", missing)
              + (missing.size() == 1 ? " is" : " are")
              + " missing.");
    }
    return new StoreTls(
        file("tlsAuthority", tlsAuthority), file("tlsCert", tlsCert), file("tlsKey", tlsKey));
  }

  private static void addIfMissing(List<String> missing, String name, String value) {
    if (value == null || value.trim().isEmpty()) {
      missing.add(name);
    }
  }

  /** A relative path begins where Tomcat's own do. */
  private static Path file(String name, String path) {
    try {
      return Paths.get(System.getProperty("catalina.base", "")).resolve(path.trim());
    } catch (InvalidPathException noPath) {
      throw new IllegalArgumentException(name + "=\"" + path + "\" is no path: " + noPath);
    }
  }

  /**
   * What this machine is called.
   *
   * @param exported by the shell that started Tomcat; service managers export none
   * @return its name, known to DNS or not
   */
  static String hostName(String exported) {
    if (exported != null && !exported.isEmpty()) {
      return exported;
    }
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException unresolved) {
      return beforeColon(unresolved.getMessage());
    }
  }

  /** The JDK's sentence about a machine whose own name has no address begins with the name. */
  static String beforeColon(String sentence) {
    return sentence.substring(0, (sentence + ":").indexOf(':'));
  }

  private long timeoutMillis() {
    if (storeTimeout == null) {
      return StoreOptions.TIMEOUT_MILLIS_DEFAULT;
    }
    Matcher matcher = DURATION.matcher(storeTimeout.trim());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "storeTimeout=\"" + storeTimeout + "\" is not a duration such as \"5s\" or \"800ms\".");
    }
    long number = Long.parseLong(matcher.group(1));
    return "s".equals(matcher.group(2)) ? number * 1000 : number;
  }

  /**
   * The keys under which values are encrypted.
   *
   * @return null for none
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  KeyFile valueKeys() {
    return encryptionKeys == null ? null : new KeyFile(file("encryptionKeys", encryptionKeys));
  }

  /**
   * The key under which ids are hashed.
   *
   * @param valueKeys a file that may have it, or null
   * @return its bytes, or null for none
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  byte[] secret(KeyFile valueKeys) {
    byte[] ids = valueKeys == null ? null : valueKeys.ids();
    if (key == null && keyFile == null) {
      return ids;
    }
    if (ids != null) {
      throw new IllegalArgumentException(
          "encryptionKeys has a line \"ids\", so give neither key nor keyFile.");
    }
    if (key != null && keyFile != null) {
      throw new IllegalArgumentException("Give either key or keyFile, not both.");
    }
    byte[] secret;
    try {
      String text =
          key != null
              ? key
              : new String(Files.readAllBytes(Paths.get(keyFile)), StandardCharsets.UTF_8).trim();
      secret = text.getBytes(StandardCharsets.UTF_8);
    } catch (IOException unreadable) {
      throw new IllegalArgumentException(
          "keyFile=\"" + keyFile + "\" cannot be read: " + unreadable, unreadable);
    }
    if (secret.length < KEY_BYTES_MIN) {
      throw new IllegalArgumentException(
          "The key for session ids must have at least "
              + KEY_BYTES_MIN
              + " bytes; the same on every Tomcat of the application.");
    }
    return secret;
  }
}
