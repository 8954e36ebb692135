package remora.tomcat.store.grpc;

import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerInterceptors;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslProvider;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import remora.proto.v1.AnnounceReply;
import remora.proto.v1.AnnounceRequest;
import remora.proto.v1.CheckReply;
import remora.proto.v1.Durations;
import remora.proto.v1.ExchangeReply;
import remora.proto.v1.ExchangeRequest;
import remora.proto.v1.Hello;
import remora.proto.v1.Push;
import remora.proto.v1.Refusal;
import remora.proto.v1.RegistryGrpc;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.RetireReply;
import remora.proto.v1.RetireRequest;
import remora.proto.v1.SessionStoreGrpc;
import remora.proto.v1.Status;
import remora.proto.v1.Welcome;

/** A store node that does as the test says: leads or refuses, answers or keeps silent. */
final class FakeNode extends SessionStoreGrpc.SessionStoreImplBase implements AutoCloseable {

  private static final Metadata.Key<byte[]> REFUSAL =
      Metadata.Key.of("remora-refusal-bin", Metadata.BINARY_BYTE_MARSHALLER);

  /** What a copy that is the truth is told. */
  static final CheckReply CURRENT =
      CheckReply.newBuilder().setCurrent(CheckReply.Current.getDefaultInstance()).build();

  /** Every message with requests that came, in order. */
  final List<ExchangeRequest> messages = new CopyOnWriteArrayList<>();

  /** Every push that was acknowledged. */
  final List<Long> acknowledged = new CopyOnWriteArrayList<>();

  /** Every word of how a client fares. */
  final List<Status> statuses = new CopyOnWriteArrayList<>();

  /** Every announcement, and every retirement. */
  final List<AnnounceRequest> announcements = new CopyOnWriteArrayList<>();

  final List<RetireRequest> retirements = new CopyOnWriteArrayList<>();

  /** When set, all that is said to the registry is refused. */
  volatile Refusal registryRefusal;

  /** When true, nothing that is said to the registry is answered. */
  volatile boolean registryFrozen;

  /** Which cluster this node says it is of, and whether it knows the instance that it welcomes. */
  volatile String cluster = "c1";

  volatile boolean announced = true;

  /** Where each stream came from, as its connection says it. */
  final List<SocketAddress> callers = new CopyOnWriteArrayList<>();

  /** Every Hello that came. */
  final List<Hello> hellos = new CopyOnWriteArrayList<>();

  /** Answers requests; by default every check with "current". */
  volatile BiConsumer<Request, Stream> script = (request, stream) -> stream.current(request);

  /** Hears of every stream that is welcomed, just before it is. */
  volatile BiConsumer<Hello, Stream> opened = (hello, stream) -> {};

  /** Hears of every push that is acknowledged. */
  volatile LongConsumer acknowledging = push -> {};

  /** Hears of every message that says what is watched, or watched no more. */
  volatile BiConsumer<ExchangeRequest, Stream> watching = (message, stream) -> {};

  /** When set, streams are refused. */
  volatile Refusal refusal;

  /** What nodes say that a session may take; 0 for nothing. */
  volatile long sessionBytesMax;

  /** What nodes say of the durations that both sides keep. */
  volatile Durations durations =
      Durations.newBuilder()
          .setTrustMs(1_000)
          .setHandoverMs(1_000)
          .setEvictedWithinMs(1_200)
          .setConfirmEveryMs(200)
          .build();

  /** When set, streams are refused for want of rights, with this sentence. */
  volatile String denial;

  /** When true, streams are accepted and never welcomed. */
  volatile boolean frozen;

  /** What operators ask, and applications of their sessions. */
  final FakeAdmin admin = new FakeAdmin();

  volatile Stream stream;
  private final Server server;
  private final int port;

  FakeNode() throws IOException {
    this(plaintext -> {});
  }

  /** A node that shows a certificate, and asks clients for one of an authority. */
  FakeNode(TestAuthority.Issued own, TestAuthority clients) throws IOException {
    this(
        builder -> {
          try {
            builder.sslContext(
                GrpcSslContexts.configure(
                        SslContextBuilder.forServer(own.cert.toFile(), own.key.toFile()),
                        SslProvider.JDK)
                    .trustManager(clients.file.toFile())
                    .clientAuth(ClientAuth.REQUIRE)
                    .build());
          } catch (IOException unusable) {
            throw new UncheckedIOException(unusable);
          }
        });
  }

  private FakeNode(Consumer<NettyServerBuilder> protection) throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
    protection.accept(builder);
    server =
        builder
            .addService(ServerInterceptors.intercept(this, remembering()))
            .addService(new Registry())
            .addService(admin)
            .build()
            .start();
    port = server.getPort();
  }

  private final class Registry extends RegistryGrpc.RegistryImplBase {
    @Override
    public void announce(AnnounceRequest request, StreamObserver<AnnounceReply> answer) {
      boolean frozen = registryFrozen;
      announcements.add(request);
      answer(AnnounceReply.getDefaultInstance(), answer, frozen);
    }

    @Override
    public void retire(RetireRequest request, StreamObserver<RetireReply> answer) {
      boolean frozen = registryFrozen;
      retirements.add(request);
      answer(RetireReply.getDefaultInstance(), answer, frozen);
    }

    /** Whoever saw that a call came may thaw the registry for the next one alone. */
    private <T> void answer(T reply, StreamObserver<T> answer, boolean frozen) {
      Refusal refused = registryRefusal;
      if (refused != null) {
        answer.onError(asError(refused));
      } else if (!frozen) {
        answer.onNext(reply);
        answer.onCompleted();
      }
    }
  }

  /** As a store maps what it refuses. */
  private static io.grpc.Status statusOf(Refusal.Reason reason) {
    switch (reason) {
      case REASON_FORBIDDEN:
        return io.grpc.Status.PERMISSION_DENIED;
      case REASON_MALFORMED:
        return io.grpc.Status.INVALID_ARGUMENT;
      case REASON_OVERLOADED:
        return io.grpc.Status.RESOURCE_EXHAUSTED;
      default:
        return io.grpc.Status.UNAVAILABLE;
    }
  }

  /** How a call hears of a refusal. */
  static StatusRuntimeException asError(Refusal refused) {
    return statusOf(refused.getReason()).asRuntimeException(trailers(refused));
  }

  private static Metadata trailers(Refusal refusal) {
    Metadata trailers = new Metadata();
    trailers.put(REFUSAL, refusal.toByteArray());
    return trailers;
  }

  private ServerInterceptor remembering() {
    return new ServerInterceptor() {
      @Override
      public <Q, R> ServerCall.Listener<Q> interceptCall(
          ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
        callers.add(call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR));
        return next.startCall(call, headers);
      }
    };
  }

  String address() {
    return address("127.0.0.1");
  }

  /** The same under another name of this machine. */
  String address(String host) {
    return host + ":" + port;
  }

  /** The node's side of one stream. */
  static final class Stream {
    private final StreamObserver<ExchangeReply> replies;
    private volatile boolean over;

    /** The newest push that the client says it has read. */
    volatile long readThrough;

    /** The newest probe that came. */
    volatile long probe;

    Stream(StreamObserver<ExchangeReply> replies) {
      this.replies = replies;
    }

    /** Sends unless the stream has ended, as words on their way to a client may be lost. */
    synchronized void send(ExchangeReply.Builder message) {
      if (!over) {
        replies.onNext(message.build());
      }
    }

    boolean isOver() {
      return over;
    }

    void reply(Reply.Builder reply) {
      send(ExchangeReply.newBuilder().addReplies(reply));
    }

    void current(Request request) {
      reply(Reply.newBuilder().setSerial(request.getSerial()).setCheck(CURRENT));
    }

    void refuse(Request request, Refusal.Reason reason, String leader) {
      Refusal refusal =
          Refusal.newBuilder()
              .setReason(reason)
              .setMessage("a test says so")
              .setLeader(leader)
              .build();
      reply(Reply.newBuilder().setSerial(request.getSerial()).setRefusal(refusal));
    }

    /** Confirms the newest probe that came, also one that was confirmed before. */
    void confirm() {
      confirm(probe);
    }

    void confirm(long probe) {
      send(ExchangeReply.newBuilder().setConfirmed(probe));
    }

    void push(Push push) {
      send(ExchangeReply.newBuilder().addPushes(push));
    }

    synchronized void end() {
      over = true;
      replies.onCompleted();
    }
  }

  @Override
  public StreamObserver<ExchangeRequest> exchange(StreamObserver<ExchangeReply> replies) {
    Stream opening = new Stream(replies);
    // With a handler, a message to a client that has gone is dropped instead of thrown back.
    ((ServerCallStreamObserver<ExchangeReply>) replies)
        .setOnCancelHandler(() -> opening.over = true);
    return new StreamObserver<ExchangeRequest>() {
      @Override
      public void onNext(ExchangeRequest message) {
        opening.readThrough = Math.max(opening.readThrough, message.getReadThrough());
        if (message.getProbe() != 0) {
          opening.probe = message.getProbe();
        }
        received(opening, replies, message);
      }

      @Override
      public void onError(Throwable gone) {}

      @Override
      public void onCompleted() {
        opening.end();
      }
    };
  }

  private void received(
      Stream opening, StreamObserver<ExchangeReply> replies, ExchangeRequest message) {
    if (message.hasHello()) {
      hellos.add(message.getHello());
      Refusal refused = refusal;
      String denied = denial;
      if (denied != null) {
        Refusal denies =
            Refusal.newBuilder()
                .setReason(Refusal.Reason.REASON_FORBIDDEN)
                .setMessage(denied)
                .build();
        replies.onError(io.grpc.Status.PERMISSION_DENIED.asRuntimeException(trailers(denies)));
      } else if (refused != null) {
        replies.onError(io.grpc.Status.UNAVAILABLE.asRuntimeException(trailers(refused)));
      } else if (!frozen) {
        stream = opening;
        opened.accept(message.getHello(), opening);
        opening.send(
            ExchangeReply.newBuilder()
                .setWelcome(
                    Welcome.newBuilder()
                        .setCluster(cluster)
                        .setAnnounced(announced)
                        .addNodes(address())
                        .setDurations(durations)
                        .setSessionBytesMax(sessionBytesMax)));
      }
      return;
    }
    if (message.hasStatus()) {
      statuses.add(message.getStatus());
    }
    acknowledged.addAll(message.getAcknowledgedList());
    message.getAcknowledgedList().forEach(acknowledging::accept);
    if (message.getWatchedCount() + message.getUnwatchedCount() > 0) {
      watching.accept(message, opening);
    }
    if (message.getRequestsCount() > 0) {
      messages.add(message);
      message.getRequestsList().forEach(request -> script.accept(request, opening));
    }
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
