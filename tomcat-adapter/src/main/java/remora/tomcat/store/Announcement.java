package remora.tomcat.store;

import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What a Tomcat says of itself, so that operators and proxies find it. An immutable value. */
public final class Announcement {

  /**
   * In the place of a host: the Tomcat listens on all addresses of its machine, and is reached at
   * that from which it speaks to the store.
   */
  public static final String EVERYWHERE = "*";

  private static final String EVERYWHERE_PREFIX = "://" + EVERYWHERE;

  /** Where a proxy of ours goes; the first group is the host. */
  private static final Pattern HTTP = Pattern.compile("https?://(.*?)(:[0-9]+)?");

  private final String route;
  private final String url;
  private final String application;
  private final String mode;
  private final String version;
  private final int threads;
  private final boolean listened;

  /**
   * Makes an announcement of one application; those of one Tomcat are said together.
   *
   * @param route the Tomcat's name in the store: its route, or its node name where it has none; at
   *     most {@value StoreOptions#NODE_BYTES_MAX} bytes of UTF-8
   * @param url where a proxy reaches it, {@code http://host:port}; at most 256 bytes. The host may
   *     be {@link #EVERYWHERE}
   * @param application as in {@link SessionKey#application()}
   * @param mode how the session manager runs; at most 32 bytes
   * @param version the jar's; at most 64 bytes
   * @param threads threads that serve requests; 0 when not known
   * @param listened whether it has listeners that hear when a session ends
   */
  public Announcement(
      String route,
      String url,
      String application,
      String mode,
      String version,
      int threads,
      boolean listened) {
    this.route = route;
    this.url = url;
    this.application = application;
    this.mode = mode;
    this.version = version;
    this.threads = threads;
    this.listened = listened;
  }

  /**
   * The Tomcat's name in the store.
   *
   * @return its route or node name
   */
  public String route() {
    return route;
  }

  /**
   * Where a proxy reaches it.
   *
   * @param own what stands in the place of {@link #EVERYWHERE}
   * @return a URL without a path
   */
  public String url(String own) {
    return url.replace(EVERYWHERE_PREFIX, "://" + own);
  }

  /**
   * Whether only proxies on its own machine reach it.
   *
   * @param own as for {@link #url}
   * @return false, too, where no proxy of ours goes
   */
  public boolean isOnLoopback(String own) {
    Matcher http = HTTP.matcher(url(own));
    return http.matches() && Hosts.isLoopback(http.group(1));
  }

  /**
   * What it serves.
   *
   * @return the application's name in the store
   */
  public String application() {
    return application;
  }

  /**
   * How the session manager runs.
   *
   * @return the mode
   */
  public String mode() {
    return mode;
  }

  /**
   * The jar's version.
   *
   * @return the version
   */
  public String version() {
    return version;
  }

  /**
   * Threads that serve requests.
   *
   * @return 0 when not known
   */
  public int threads() {
    return threads;
  }

  /**
   * Whether the application has listeners that hear when a session ends.
   *
   * @return false if what expires concerns only who owned it
   */
  public boolean listened() {
    return listened;
  }

  /**
   * Whether two applications are reached by the same name at the same place.
   *
   * @param other what is said of the other
   * @return false if a proxy that goes by one does not find the other
   */
  public boolean isOfTheSame(Announcement other) {
    return route.equals(other.route) && url.equals(other.url);
  }

  private List<Object> all() {
    return Arrays.asList(route, url, application, mode, version, threads, listened);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Announcement && all().equals(((Announcement) other).all());
  }

  @Override
  public int hashCode() {
    return all().hashCode();
  }
}
