package remora.tomcat.store.grpc;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import remora.proto.v1.Hello;
import remora.proto.v1.Push;
import remora.proto.v1.Refusal;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.Unknown;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.PushListener;
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

  /** Replies that wait for the acknowledgement of an eviction. */
  private final ConcurrentLinkedQueue<Waiting> waiting = new ConcurrentLinkedQueue<>();

  /** The eviction pushed by the request that is being answered; 0 for none. */
  private long evicted;

  private long pushes;

  /** While set, requests meet this fate and nothing is confirmed. */
  volatile Fate fate;

  private static final class Waiting {
    private final long push;
    private final FakeNode.Stream stream;
    private final Reply.Builder reply;

    private Waiting(long push, FakeNode.Stream stream, Reply.Builder reply) {
      this.push = push;
      this.stream = stream;
      this.reply = reply;
    }
  }

  TableNode(String application) throws IOException {
    this.application = application;
    node.opened = this::opened;
    node.script = this::answer;
    node.acknowledging = this::acknowledged;
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
    handle.onPush(application, (key, kind, epoch) -> push(stream, key, kind, epoch));
    handles.put(stream, handle);
  }

  private void confirm() {
    for (FakeNode.Stream stream : handles.keySet()) {
      if (fate == null && !stream.isOver()) {
        stream.confirm();
      }
    }
  }

  private synchronized void push(
      FakeNode.Stream stream, SessionKey key, PushListener.Kind kind, long epoch) {
    if (stream.isOver()) {
      return;
    }
    pushes++;
    if (kind == PushListener.Kind.OWNERSHIP_LOST) {
      evicted = pushes;
    }
    stream.push(
        Push.newBuilder()
            .setId(pushes)
            .setSession(WireAnswers.key(key))
            .setKind(Push.Kind.valueOf("KIND_" + kind))
            .setEpoch(epoch)
            .build());
  }

  private synchronized void acknowledged(long push) {
    for (Waiting each : waiting) {
      if (each.push == push && waiting.remove(each)) {
        each.stream.reply(each.reply);
      }
    }
  }

  private synchronized void answer(Request request, FakeNode.Stream stream) {
    Fate meets = fate;
    if (meets == Fate.DROPPED) {
      return;
    }
    evicted = 0;
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
    if (meets == Fate.DONE_UNANSWERED) {
      return;
    } else if (evicted != 0) {
      waiting.add(new Waiting(evicted, stream, reply));
    } else {
      stream.reply(reply);
    }
  }

  @Override
  public void close() {
    confirming.shutdownNow();
    node.close();
  }
}
