package remora.tomcat.store.grpc;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.function.Predicate;
import remora.tomcat.store.Hosts;

/**
 * Under which address others reach this machine: the one from which it speaks to the store, since
 * who finds the store finds this machine by the same network. Kept while the machine has it, so
 * that another leader, on another network, changes nothing. One that means something only to this
 * machine or to its link holds until there is another: a store on the same machine says nothing of
 * the network.
 */
final class OwnAddress {

  private final Predicate<InetAddress> ours;
  private InetAddress kept;

  /**
   * Knows none yet.
   *
   * @param ours whether this machine has an address
   */
  OwnAddress(Predicate<InetAddress> ours) {
    this.ours = ours;
  }

  /** A connection to the store begins there. */
  void speaksFrom(SocketAddress local) {
    if (!(local instanceof InetSocketAddress)) {
      return;
    }
    InetAddress found = ((InetSocketAddress) local).getAddress();
    boolean keeps = kept != null && ours.test(kept) && (!isNear(kept) || isNear(found));
    if (!keeps) {
      kept = found;
    }
  }

  private static boolean isNear(InetAddress address) {
    return address.isLoopbackAddress() || address.isLinkLocalAddress();
  }

  /** As it is written in a URL; null while there is none. */
  String literal() {
    return kept == null ? null : Hosts.literal(kept);
  }
}
