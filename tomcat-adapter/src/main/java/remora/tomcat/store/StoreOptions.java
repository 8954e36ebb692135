package remora.tomcat.store;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.LongPredicate;

/** Where the store is and how long to wait for it. Immutable. */
public final class StoreOptions {

  /** How long a call waits for its answer unless configured, in milliseconds. */
  public static final long TIMEOUT_MILLIS_DEFAULT = 5_000;

  /** How many calls wait for a leader unless configured: half of a connector's usual threads. */
  public static final int WAITERS_MAX_DEFAULT = 100;

  /** The store takes no longer node names, in bytes of UTF-8. */
  public static final int NODE_BYTES_MAX = 64;

  private static final InetAddress[] NOWHERE = {};

  private final List<String> addresses;
  private final String node;
  private final long timeoutMillis;
  private final int waitersMax;
  private final LongPredicate pausedSince;
  private final StoreTls tls;
  private final boolean plaintextAllowed;

  /**
   * Makes options, for a store on this machine: without {@link #withTls} or {@link
   * #withPlaintextAllowed} nothing is sent off the loopback.
   *
   * @param addresses client addresses of store nodes as in context.xml: {@code host:port},
   *     separated by commas; at least one
   * @param node route or node name for people, cut to {@value #NODE_BYTES_MAX} bytes of UTF-8
   * @param timeoutMillis how long a call waits for its answer, milliseconds, at least 1
   * @throws IllegalArgumentException with a sentence for the administrator if an address is not of
   *     that form or the timeout is out of range
   */
  public StoreOptions(String addresses, String node, long timeoutMillis) {
    this(
        parse(addresses),
        cut(node),
        timeoutMillis,
        WAITERS_MAX_DEFAULT,
        since -> false,
        null,
        false);
    if (timeoutMillis < 1) {
      throw new IllegalArgumentException(
          "storeTimeout must be at least 1 millisecond, not " + timeoutMillis);
    }
  }

  private StoreOptions(
      List<String> addresses,
      String node,
      long timeoutMillis,
      int waitersMax,
      LongPredicate pausedSince,
      StoreTls tls,
      boolean plaintextAllowed) {
    this.addresses = addresses;
    this.node = node;
    this.timeoutMillis = timeoutMillis;
    this.waitersMax = waitersMax;
    this.pausedSince = pausedSince;
    this.tls = tls;
    this.plaintextAllowed = plaintextAllowed;
  }

  /**
   * The same with another bound on waiting calls.
   *
   * @param calls how many may wait while the store is sought, at least 1
   * @return options
   */
  public StoreOptions withWaitersMax(int calls) {
    return new StoreOptions(
        addresses, node, timeoutMillis, calls, pausedSince, tls, plaintextAllowed);
  }

  /**
   * The same with somebody who notices that this process stood still.
   *
   * @param since whether a pause ended after a moment, given as {@link System#nanoTime()}, or is
   *     only ending now; without it only pauses of the monotonic clock are seen
   * @return options
   */
  public StoreOptions withPausedSince(LongPredicate since) {
    return new StoreOptions(
        addresses, node, timeoutMillis, waitersMax, since, tls, plaintextAllowed);
  }

  /**
   * The same over TLS.
   *
   * @param files by what both sides know each other; null for plaintext
   * @return options
   */
  public StoreOptions withTls(StoreTls files) {
    return new StoreOptions(
        addresses, node, timeoutMillis, waitersMax, pausedSince, files, plaintextAllowed);
  }

  /**
   * The same, over networks that need no encryption because somebody says so.
   *
   * @param allowed whether addresses off the loopback are spoken to without TLS
   * @return options
   */
  public StoreOptions withPlaintextAllowed(boolean allowed) {
    return new StoreOptions(addresses, node, timeoutMillis, waitersMax, pausedSince, tls, allowed);
  }

  /** Cuts before the first character that has no room, never within one. */
  private static String cut(String node) {
    int bytes = 0;
    int end = 0;
    while (end < node.length()) {
      int next = node.offsetByCodePoints(end, 1);
      bytes += node.substring(end, next).getBytes(StandardCharsets.UTF_8).length;
      if (bytes > NODE_BYTES_MAX) {
        break;
      }
      end = next;
    }
    return node.substring(0, end);
  }

  private static List<String> parse(String addresses) {
    Set<String> parsed = new LinkedHashSet<>();
    for (String part : addresses.split(",", -1)) {
      String address = part.trim();
      if (!isAddress(address)) {
        throw new IllegalArgumentException(
            "store=\""
                + addresses
                + "\" must list the store's client addresses as host:port, separated by commas; \""
                + address
                + "\" is not one");
      }
      parsed.add(address);
    }
    return Collections.unmodifiableList(new ArrayList<>(parsed));
  }

  /**
   * Whether a text names a store node.
   *
   * @param text anything
   * @return true for {@code host:port} with a port from 1 to 65535
   */
  public static boolean isAddress(String text) {
    int colon = text.lastIndexOf(':');
    if (colon < 1) {
      return false;
    }
    try {
      int port = Integer.parseInt(text.substring(colon + 1));
      return port > 0 && port <= 0xffff;
    } catch (NumberFormatException notANumber) {
      return false;
    }
  }

  /**
   * Refuses what would send sessions over a network unencrypted without anybody having said so. A
   * name that does not resolve now is judged when it does: each connection asks {@link #forbids}.
   *
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  public void checkPlaintext() {
    for (String address : addresses) {
      for (InetAddress each : tls != null || plaintextAllowed ? NOWHERE : resolve(address)) {
        String forbidden = forbids(address, each);
        if (forbidden != null) {
          throw new IllegalArgumentException("store=\"" + address + "\": " + forbidden);
        }
      }
    }
  }

  private static InetAddress[] resolve(String address) {
    try {
      return InetAddress.getAllByName(host(address));
    } catch (UnknownHostException | SecurityException later) {
      return NOWHERE;
    }
  }

  /**
   * Whether a node may not be spoken to as these options are.
   *
   * @param address as configured, or as a node said it
   * @param where what its name stands for
   * @return a sentence for the administrator, or null if it may
   */
  public String forbids(String address, InetAddress where) {
    if (tls != null || plaintextAllowed || where.isLoopbackAddress()) {
      return null;
    }
    return address
        + " is not on the loopback, and sessions would travel unencrypted: give tlsAuthority,"
        + " tlsCert and tlsKey; or keep to a trusted network and say allowPlaintext=\"true\"";
  }

  /**
   * The part of an address that names the machine.
   *
   * @param address {@code host:port}
   * @return a name, or an IP address as it was written
   */
  public static String host(String address) {
    return address.substring(0, address.lastIndexOf(':'));
  }

  /**
   * Whether the store is on other machines, too, as far as addresses say so without a look-up.
   *
   * @return false if all are of the loopback
   */
  public boolean areElsewhere() {
    return !addresses.stream().allMatch(address -> Hosts.isLoopback(host(address)));
  }

  /**
   * Client addresses of store nodes.
   *
   * @return {@code host:port}, in the order given, without repeats
   */
  public List<String> addresses() {
    return addresses;
  }

  /**
   * Route or node name for people.
   *
   * @return at most {@value #NODE_BYTES_MAX} bytes of UTF-8
   */
  public String node() {
    return node;
  }

  /**
   * How long a call waits for its answer.
   *
   * @return milliseconds
   */
  public long timeoutMillis() {
    return timeoutMillis;
  }

  /**
   * How many calls may wait while the store is sought; the rest fail at once.
   *
   * @return at least 1
   */
  public int waitersMax() {
    return waitersMax;
  }

  /**
   * Who notices that this process stood still.
   *
   * @return whether it did since a {@link System#nanoTime()}
   */
  public LongPredicate pausedSince() {
    return pausedSince;
  }

  /**
   * By what both sides know each other.
   *
   * @return null for plaintext
   */
  public StoreTls tls() {
    return tls;
  }

  /**
   * Whether two managers may share one connection, as far as its protection goes.
   *
   * @param other options for the same addresses
   * @return false if one asks for what the other does not
   */
  public boolean isProtectedAs(StoreOptions other) {
    return Objects.equals(tls, other.tls) && plaintextAllowed == other.plaintextAllowed;
  }
}
