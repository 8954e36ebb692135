package remora.tomcat.store;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.regex.Pattern;

/** How machines are called where a name may stand for them: in URLs and in lists of addresses. */
public final class Hosts {

  /** A name of this machine for itself alone; names are not looked up. */
  private static final Pattern LOOPBACK =
      Pattern.compile("(?i)localhost|127(\\.[0-9]{1,3}){3}|\\[?[0:]*:0*1]?");

  private Hosts() {}

  /**
   * Whether a host means something else on every machine.
   *
   * @param host a name, or an address as it is written
   * @return true for addresses of the loopback, and for the name {@code localhost}
   */
  static boolean isLoopback(String host) {
    return LOOPBACK.matcher(host).matches();
  }

  /**
   * An address as it stands in a URL.
   *
   * @param address any
   * @return a number, without a zone, and in brackets where it has colons
   */
  public static String literal(InetAddress address) {
    String number = address.getHostAddress();
    return address instanceof Inet6Address ? "[" + number.replaceFirst("%.*", "") + "]" : number;
  }
}
