package remora.tomcat.store.grpc;

import com.google.protobuf.InvalidProtocolBufferException;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import remora.proto.v1.ExchangeReply;
import remora.proto.v1.ExchangeRequest;
import remora.proto.v1.Hello;
import remora.proto.v1.Push;
import remora.proto.v1.Refusal;
import remora.proto.v1.SessionStoreGrpc;
import remora.proto.v1.Welcome;
import remora.tomcat.store.Hosts;

/**
 * One Exchange stream to one store node, from Hello to its end.
 *
 * <p>Invariants: messages are sent by one thread at a time (the outbox's send lock); events come
 * from the channel's only I/O thread, in order, and none after {@link Events#closed}.
 */
final class Link {

  /** What happens on a stream; called on its I/O thread, must not block. */
  interface Events {
    /** One of the message's pushes; all come before the rest of it counts. */
    void pushed(Link link, Push push);

    void received(Link link, ExchangeReply message);

    void ready(Link link);

    /** A majority confirmed a probe of this stream, for the first time. */
    void proven(Link link);

    /** The end. The refusal is null unless the node said one; the text is for people. */
    void closed(Link link, Refusal refusal, String text);
  }

  private static final Metadata.Key<byte[]> REFUSAL =
      Metadata.Key.of("remora-refusal-bin", Metadata.BINARY_BYTE_MARSHALLER);

  final String address;

  /** Requests sent here and not answered, by serial. */
  final ConcurrentHashMap<Long, Call> inFlight = new ConcurrentHashMap<>();

  /** The newest push that was read here, and the newest of which the node knows that. */
  private volatile long readThrough;

  private volatile long saidThrough;

  /** Pushes of this stream that are acknowledged and not yet said to be. */
  final Queue<Long> acknowledgements = new ConcurrentLinkedQueue<>();

  /** How many groups may be in flight here. */
  final GroupWindow window = new GroupWindow();

  /** Groups sent here and not wholly answered. */
  final AtomicInteger groupsInFlight = new AtomicInteger();

  private final ManagedChannel channel;
  private final ClientCall<ExchangeRequest, ExchangeReply> call;
  private volatile long openedNanos;

  /** Null until the node has said Welcome. */
  private volatile Durations durations;

  /** Where its connection begins; null before the Hello. */
  private volatile SocketAddress local;

  /** Why the node's Welcome was not taken; only used on the I/O thread. */
  private Refusal unfit;

  /** Whether the stream ended in a way that another try does not cure. */
  private volatile boolean endedForGood;

  private final long begunNanos = System.nanoTime();
  private final Pulse pulse = new Pulse(begunNanos);
  private volatile long trustedUntilNanos = begunNanos;

  /** When the newest confirmed probe was sent. */
  private volatile long provenNanos = begunNanos;

  private volatile boolean proven;
  private boolean greeted;

  /** The newest probe. One is under way at a time. */
  private volatile long probe = 1;

  private volatile boolean distrusted;

  private Link(String address, ManagedChannel channel) {
    this.address = address;
    this.channel = channel;
    this.call = channel.newCall(SessionStoreGrpc.getExchangeMethod(), CallOptions.DEFAULT);
  }

  /**
   * Opens a stream and says Hello as soon as there is a connection, whose own address it names; the
   * answer comes as an event.
   */
  static Link open(String address, ManagedChannel channel, Hello hello, Events events) {
    Link link = new Link(address, channel);
    link.call.start(link.listener(hello, events), new Metadata());
    link.call.request(1);
    return link;
  }

  /** What it runs over, for calls beside it. */
  ManagedChannel channel() {
    return channel;
  }

  private void greet(Hello hello) {
    greeted = true;
    SocketAddress from = call.getAttributes().get(Grpc.TRANSPORT_ATTR_LOCAL_ADDR);
    local = from;
    Hello named = hello.toBuilder().setAddress(literal(from)).build();
    pulse.probed(System.nanoTime());
    call.sendMessage(ExchangeRequest.newBuilder().setHello(named).setProbe(1).build());
  }

  /** An address as the far side writes it: {@code ip:port}, without a zone; empty if unknown. */
  static String literal(SocketAddress address) {
    if (!(address instanceof InetSocketAddress)) {
      return "";
    }
    InetAddress host = ((InetSocketAddress) address).getAddress();
    int port = ((InetSocketAddress) address).getPort();
    return host == null ? "" : Hosts.literal(host) + ":" + port;
  }

  private ClientCall.Listener<ExchangeReply> listener(Hello hello, Events events) {
    return new ClientCall.Listener<ExchangeReply>() {
      @Override
      public void onMessage(ExchangeReply message) {
        if (message.hasWelcome() && !fits(message.getWelcome())) {
          cancel(unfit.getMessage());
          return;
        }
        for (Push push : message.getPushesList()) {
          events.pushed(Link.this, push);
          readThrough = Math.max(readThrough, push.getId()); // an offer has none
        }
        boolean provenBefore = proven;
        heard(message);
        events.received(Link.this, message);
        if (proven && !provenBefore) {
          events.proven(Link.this);
        }
        call.request(1);
      }

      @Override
      public void onReady() {
        if (!greeted) {
          greet(hello);
        }
        events.ready(Link.this);
      }

      @Override
      public void onClose(Status status, Metadata trailers) {
        distrust();
        Refusal refusal = unfit != null ? unfit : refusalIn(trailers);
        String lasting = LastingFaults.of(status, refusal);
        endedForGood = lasting != null;
        String text =
            lasting != null ? lasting : refusal != null ? refusal.getMessage() : describe(status);
        events.closed(Link.this, refusal, text);
      }
    };
  }

  /** What a status without a refusal says, for people. */
  static String describe(Status status) {
    if (status.isOk()) {
      return "the node ended the stream";
    }
    Throwable cause = status.getCause();
    return status.getCode()
        + (status.getDescription() == null ? "" : ", " + status.getDescription())
        + (cause == null ? "" : ", " + cause.getMessage());
  }

  /** What a node refused, and why; null if it did not. */
  static Refusal refusalIn(Metadata trailers) {
    byte[] bytes = trailers == null ? null : trailers.get(REFUSAL);
    if (bytes == null) {
      return null;
    }
    try {
      return Refusal.parseFrom(bytes);
    } catch (InvalidProtocolBufferException notARefusal) {
      return null;
    }
  }

  /** Takes the store's durations, or says in its place that the two do not fit together. */
  private boolean fits(Welcome welcome) {
    try {
      durations = Durations.of(welcome.getDurations());
      return true;
    } catch (IllegalArgumentException outOfOrder) {
      unfit =
          Refusal.newBuilder()
              .setReason(Refusal.Reason.REASON_WRONG_VERSION)
              .setMessage(outOfOrder.getMessage())
              .build();
      return false;
    }
  }

  /**
   * Notes the time. The trust that a confirmation gives counts from the sending of its probe, not
   * from its receipt: after a pause of this process or of the network, old confirmations come in a
   * row.
   */
  private void heard(ExchangeReply message) {
    long now = System.nanoTime();
    pulse.heard(now);
    if (message.hasWelcome()) {
      openedNanos = now;
    }
    Durations agreed = durations;
    if (agreed != null && message.getConfirmed() == probe) {
      provenNanos = pulse.probeNanos();
      proven = true;
      trustedUntilNanos = provenNanos + agreed.trustNanos();
      pulse.confirmed();
    }
  }

  /** Where its connection begins, once the node has said Welcome. */
  SocketAddress local() {
    return local;
  }

  /** Whether it ended, and so will the next, until somebody does something. */
  boolean endedForGood() {
    return endedForGood;
  }

  /** Whether the transport takes a message without queueing it without bound. */
  boolean isReady() {
    return call.isReady();
  }

  /** Whether the next probe should leave. */
  boolean isProbeDue() {
    return pulse.isProbeDue(System.nanoTime());
  }

  /** A request uses this stream, or its trust. */
  void use(long nowNanos) {
    pulse.use(nowNanos);
  }

  /** Adds the next probe to a message that leaves now; under the send lock. */
  void addProbe(ExchangeRequest.Builder message) {
    pulse.probed(System.nanoTime());
    message.setProbe(++probe);
  }

  /** Whether a push was read since the node heard last which were. */
  boolean owesReading() {
    return readThrough != saidThrough;
  }

  /** Sends a message, and with it which pushes were read before; under the send lock. */
  void send(ExchangeRequest.Builder message) {
    long read = readThrough;
    saidThrough = read;
    call.sendMessage(message.setReadThrough(read).build());
  }

  /**
   * Ends the stream. Trust goes first: the node answers the next owners of sessions as soon as it
   * hears of the end, and need not wait for this process then.
   */
  void cancel(String why) {
    distrust();
    call.cancel(why, null);
  }

  /** From now on no near copy is used unasked because of this stream. */
  void distrust() {
    distrusted = true;
  }

  /** When the newest probe that a majority confirmed was sent: until then the stream stood. */
  long provenNanos() {
    return provenNanos;
  }

  /**
   * For how long the node, which has said Welcome, may still say nothing; below zero it leads no
   * more.
   */
  long patienceNanos(long nowNanos) {
    return pulse.patienceNanos(durations.silenceNanosMax(), nowNanos);
  }

  /** See {@link remora.tomcat.store.SessionStore#nearCopyTrusted}. */
  boolean trusts(long readAtNanos, long nowNanos) {
    return !distrusted && readAtNanos - openedNanos >= 0 && trustedUntilNanos - nowNanos > 0;
  }
}
