package remora.tomcat.store;

import java.net.Inet6Address;
import java.net.InetAddress;

/** How machines are called where a name may stand for them: in URLs and in lists of addresses. */
public final class Hosts {

  private Hosts() {}

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
