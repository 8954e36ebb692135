package remora.tomcat.store;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
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

  private final List<String> addresses;
  private final String node;
  private final long timeoutMillis;
  private final int waitersMax;
  private final LongPredicate pausedSince;

  /**
   * Makes options.
   *
   * @param addresses client addresses of store nodes as in context.xml: {@code host:port},
   *     separated by commas; at least one
   * @param node route or node name for people, cut to {@value #NODE_BYTES_MAX} bytes of UTF-8
   * @param timeoutMillis how long a call waits for its answer, milliseconds, at least 1
   * @throws IllegalArgumentException with a sentence for the administrator if an address is not of
   *     that form or the timeout is out of range
   */
  public StoreOptions(String addresses, String node, long timeoutMillis) {
    this(parse(addresses), cut(node), timeoutMillis, WAITERS_MAX_DEFAULT, since -> false);
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
      LongPredicate pausedSince) {
    this.addresses = addresses;
    this.node = node;
    this.timeoutMillis = timeoutMillis;
    this.waitersMax = waitersMax;
    this.pausedSince = pausedSince;
  }

  /**
   * The same with another bound on waiting calls.
   *
   * @param calls how many may wait while the store is sought, at least 1
   * @return options
   */
  public StoreOptions withWaitersMax(int calls) {
    return new StoreOptions(addresses, node, timeoutMillis, calls, pausedSince);
  }

  /**
   * The same with somebody who notices that this process stood still.
   *
   * @param since whether a pause ended after a moment, given as {@link System#nanoTime()}, or is
   *     only ending now; without it only pauses of the monotonic clock are seen
   * @return options
   */
  public StoreOptions withPausedSince(LongPredicate since) {
    return new StoreOptions(addresses, node, timeoutMillis, waitersMax, since);
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
}
