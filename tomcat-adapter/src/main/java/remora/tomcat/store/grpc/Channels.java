package remora.tomcat.store.grpc;

import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.netty.shaded.io.netty.channel.EventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.nio.NioIoHandler;
import io.grpc.netty.shaded.io.netty.channel.socket.nio.NioSocketChannel;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import remora.tomcat.store.StoreOptions;

/**
 * Makes connections to store nodes, all on one I/O thread. Java's own sockets and TLS, no native
 * code.
 *
 * <p>A node is known by the name that was configured, or that another node said, and not by what it
 * resolved to: over TLS its certificate must be for that name.
 */
final class Channels implements AutoCloseable {

  /**
   * The largest message taken from a node. Nodes send at most 4 MiB and at least one whole reply; a
   * reply holds one session of at most 1 MiB unless configured higher, so this leaves room.
   */
  private static final int INBOUND_BYTES_MAX = 64 * 1024 * 1024;

  /** Bytes that may be under way from the node; a hundred claims of ordinary sessions. */
  private static final int FLOW_WINDOW_BYTES = 1024 * 1024;

  private static final Executor DIRECT = Runnable::run;

  /** From this Java on, the JVM prints warnings when a library reaches for raw memory. */
  private static final double JAVA_WITH_WARNINGS = 24;

  static {
    if (Double.parseDouble(System.getProperty("java.specification.version"))
        >= JAVA_WITH_WARNINGS) {
      // Relocated with the library that reads it, so that no other copy of Netty is meant.
      System.setProperty("io.grpc.netty.shaded.io.netty.noUnsafe", "true");
    }
  }

  private final EventLoopGroup eventLoop;
  private final StoreOptions options;

  /** Null for plaintext. */
  private final Credentials credentials;

  /** A thread for each candidate at most, as each looks its name up once at a time. */
  private final ExecutorService lookups =
      new ThreadPoolExecutor(
          0,
          LeaderFinder.CANDIDATES_MAX,
          1,
          TimeUnit.SECONDS,
          new SynchronousQueue<>(),
          new Threads("lookup"));

  /**
   * Connections as the options ask for them.
   *
   * @throws IllegalArgumentException with a sentence for the administrator
   */
  Channels(StoreOptions options) {
    this.options = options;
    this.credentials = options.tls() == null ? null : new Credentials(options.tls());
    this.eventLoop =
        new MultiThreadIoEventLoopGroup(1, new Threads("io"), NioIoHandler.newFactory());
  }

  /**
   * Looks up what a name stands for, on a thread of its own: a resolver may take many seconds, and
   * so may the disk with the certificates. By ourselves, since gRPC logs every failure with its
   * stack.
   *
   * @param address {@code host:port}
   * @param then called on that thread; with an empty list when the name does not resolve
   */
  void lookUp(String address, Consumer<List<InetSocketAddress>> then) {
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    lookups.execute(
        () -> {
          List<InetSocketAddress> found = new ArrayList<>();
          try {
            if (credentials != null) {
              credentials.refresh();
            }
            for (InetAddress each : InetAddress.getAllByName(StoreOptions.host(address))) {
              found.add(new InetSocketAddress(nameless(each), port));
            }
          } catch (UnknownHostException | SecurityException unresolved) {
            found.clear();
          }
          then.accept(found);
        });
  }

  /** Without its name, of which gRPC would make an authority, and refuse some that resolve. */
  private static InetAddress nameless(InetAddress found) throws UnknownHostException {
    if (found instanceof Inet6Address && ((Inet6Address) found).getScopeId() > 0) {
      int scope = ((Inet6Address) found).getScopeId();
      return Inet6Address.getByAddress(null, found.getAddress(), scope);
    }
    return InetAddress.getByAddress(found.getAddress());
  }

  /** Why no connection may be made there, in a sentence; null if one may. */
  String forbids(String address, InetSocketAddress where) {
    return options.forbids(address, where.getAddress());
  }

  /**
   * Begins a connection; a failure shows in the first stream.
   *
   * @param address the node as it is called, {@code host:port}
   * @param where one of those that {@link #lookUp} found
   * @throws IllegalArgumentException if a node cannot be called so
   */
  ManagedChannel connect(String address, InetSocketAddress where, int connectTimeoutMillis) {
    String host = StoreOptions.host(address);
    boolean isBare = host.indexOf(':') >= 0 && !host.startsWith("[");
    NettyChannelBuilder channel =
        NettyChannelBuilder.forAddress(where).overrideAuthority(isBare ? "[" + host + "]" : host);
    if (credentials == null) {
      channel.usePlaintext();
    } else {
      channel.sslContext(credentials.newest());
    }
    return channel
        .eventLoopGroup(eventLoop)
        .channelType(NioSocketChannel.class)
        .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, connectTimeoutMillis)
        .executor(DIRECT)
        .offloadExecutor(DIRECT)
        .proxyDetector(target -> null)
        .disableRetry()
        .disableServiceConfigLookUp()
        .maxInboundMessageSize(INBOUND_BYTES_MAX)
        .flowControlWindow(FLOW_WINDOW_BYTES)
        .build();
  }

  @Override
  public void close() {
    eventLoop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    lookups.shutdown();
  }
}
