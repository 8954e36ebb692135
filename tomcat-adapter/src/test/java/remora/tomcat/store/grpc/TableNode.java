package remora.tomcat.store.grpc;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import remora.proto.v1.ExchangeReply;
import remora.proto.v1.ExchangeRequest;
import remora.proto.v1.Hello;
import remora.proto.v1.News;
import remora.proto.v1.Push;
import remora.proto.v1.Refusal;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.Unknown;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.NewsListener;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreRefusedException;

/**
 * A leader with a table: a {@link FakeNode} that answers as a {@link FakeStore} does, by a
 * translation of its own, so that what the adapter's translation loses is seen.
 */
final class TableNode implements AutoCloseable {

  /** How often streams are confirmed, in milliseconds; a real leader takes ten times as long. */
  private static final long CONFIRM_MILLIS = 20;

  /** What happens to requests while a test wants no answers. */
  enum Fate {
    DROPPED,
    DONE_UNANSWERED,
    DONE_UNKNOWN
  }

  private final FakeStore.Shared table = new FakeStore.Shared();
  private final String application;
  private final FakeNode node = new FakeNode();
  private final Map<FakeNode.Stream, FakeStore> handles = new ConcurrentHashMap<>();
  private final ScheduledExecutorService confirming = Executors.newScheduledThreadPool(1);

  /** One thread for each request under way: a claim waits for an acknowledgement. */
  private final ExecutorService answering = Executors.newCachedThreadPool();

  private final Map<Long, remora.tomcat.store.Push> waiting = new ConcurrentHashMap<>();
  private final AtomicLong pushes = new AtomicLong();

  /** While set, requests meet this fate and nothing is confirmed. */
  volatile Fate fate;

  TableNode(String application) throws IOException {
    this.application = application;
    node.opened = this::opened;
    node.script = (request, stream) -> answering.execute(() -> answer(request, stream));
    node.watching = this::watched;
    node.acknowledging = push -> waiting.remove(push).acknowledge();
    confirming.scheduleWithFixedDelay(
        this::confirm, CONFIRM_MILLIS, CONFIRM_MILLIS, TimeUnit.MILLISECONDS);
  }

  String address() {
    return node.address();
  }

  void passTime(long millis) {
    table.passTime(millis);
  }

  private void opened(Hello hello, FakeNode.Stream stream) {
    FakeStore handle = new FakeStore(table, hello.getInstance());
    handle.onPush(application, push -> push(stream, push));
    handle.onNews(application, new Teller(handle, stream));
    handles.put(stream, handle);
  }

  private void watched(ExchangeRequest message, FakeNode.Stream stream) {
    FakeStore handle = handles.get(stream);
    message
        .getWatchedList()
        .forEach(
            watched ->
                handle.watch(FromWire.key(watched.getSession()), watched.getCreatedVersion()));
    message.getUnwatchedList().forEach(key -> handle.unwatch(FromWire.key(key)));
  }

  /** Tells one stream what became of sessions. */
  private static final class Teller implements NewsListener {
    private final FakeStore handle;
    private final FakeNode.Stream stream;

    private Teller(FakeStore handle, FakeNode.Stream stream) {
      this.handle = handle;
      this.stream = stream;
    }

    @Override
    public void ended(SessionKey key, long createdVersion) {
      tell(key, createdVersion, ByteString.EMPTY);
    }

    @Override
    public void renamed(SessionKey key, SessionKey newKey) {
      tell(key, handle.watched.get(newKey), ByteString.copyFrom(newKey.hash()));
    }

    private void tell(SessionKey key, long createdVersion, ByteString newKey) {
      News.Builder news =
          News.newBuilder()
              .setSession(WireAnswers.key(key))
              .setCreatedVersion(createdVersion)
              .setNewKey(newKey);
      stream.send(ExchangeReply.newBuilder().addNews(news));
    }
  }

  private void confirm() {
    for (FakeNode.Stream stream : handles.keySet()) {
      if (fate == null && !stream.isOver()) {
        stream.confirm();
      }
    }
  }

  private void push(FakeNode.Stream stream, remora.tomcat.store.Push push) {
    if (stream.isOver()) {
      push.acknowledge();
      return;
    }
    long id = pushes.incrementAndGet();
    waiting.put(id, push);
    Push.Builder wire =
        Push.newBuilder()
            .setId(id)
            .setSession(WireAnswers.key(push.key()))
            .setKind(Push.Kind.valueOf("KIND_" + push.kind()))
            .setEpoch(push.epoch())
            .setVersion(push.version());
    if (push.record() != null) {
      wire.setRecord(WireAnswers.session(push.record()));
    }
    stream.push(wire.build());
  }

  private void answer(Request request, FakeNode.Stream stream) {
    Fate meets = fate;
    if (meets == Fate.DROPPED) {
      return;
    }
    Reply.Builder reply;
    try {
      reply = WireAnswers.ask(handles.get(stream), request);
    } catch (StoreRefusedException refused) {
      Refusal.Reason reason = Refusal.Reason.valueOf("REASON_" + refused.reason());
      reply =
          Reply.newBuilder()
              .setRefusal(Refusal.newBuilder().setReason(reason).setMessage(refused.getMessage()));
    }
    reply.setSerial(request.getSerial());
    if (meets == Fate.DONE_UNKNOWN) {
      reply.setUnknown(Unknown.getDefaultInstance());
    }
    if (meets != Fate.DONE_UNANSWERED) {
      stream.reply(reply);
    }
  }

  @Override
  public void close() {
    confirming.shutdownNow();
    answering.shutdownNow();
    node.close();
  }
}
