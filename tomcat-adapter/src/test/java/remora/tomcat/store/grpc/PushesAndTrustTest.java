package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import com.google.protobuf.ByteString;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import remora.proto.v1.BuryReply;
import remora.proto.v1.BuryRequest;
import remora.proto.v1.ExchangeReply;
import remora.proto.v1.Push;
import remora.proto.v1.Reply;
import remora.proto.v1.Session;
import remora.tomcat.store.SessionStore;

/** When the client hears of pushes, and when it trusts; against nodes that obey a script. */
class PushesAndTrustTest extends TwoNodes {

  private void push(long id, Push.Kind kind) {
    first.stream.push(wirePush(id, kind).build());
  }

  private static Push.Builder wirePush(long id, Push.Kind kind) {
    remora.proto.v1.SessionKey key =
        remora.proto.v1.SessionKey.newBuilder()
            .setApplication(KEY.application())
            .setKey(ByteString.copyFrom(KEY.hash()))
            .build();
    return Push.newBuilder().setId(id).setSession(key).setKind(kind).setEpoch(5);
  }

  @Test
  void aPushIsHeardBeforeTheRepliesOfItsMessageAndAcknowledgedWhenItsListenerLikes()
      throws Exception {
    SessionStore store = store(20_000, first.address());
    List<remora.tomcat.store.Push> heard = new CopyOnWriteArrayList<>();
    store.onPush(KEY.application(), heard::add);
    first.script =
        (request, stream) ->
            stream.send(
                ExchangeReply.newBuilder()
                    .addReplies(
                        Reply.newBuilder()
                            .setSerial(request.getSerial())
                            .setCheck(FakeNode.CURRENT))
                    .addPushes(wirePush(7, Push.Kind.KIND_NEWER).setVersion(9)));
    for (int i = 1; i <= 100; i++) {
      check(store);
      assertEquals(i, heard.size(), "the reply was given out before the push was heard");
    }
    remora.tomcat.store.Push push = heard.get(0);
    assertEquals("NEWER " + KEY + " e5 v9", push.toString());
    assertEquals(0, first.acknowledged.size());
    push.acknowledge();
    push.acknowledge();
    await("acknowledgement", () -> first.acknowledged.contains(7L));
    check(store);
    assertEquals(1, first.acknowledged.size(), "acknowledged twice");
  }

  @Test
  void aPushIsSaidToBeReadWhenItsListenerHasReturnedAndNotBefore() throws Exception {
    SessionStore store = store(20_000, first.address());
    ExecutorService asking = Executors.newSingleThreadExecutor();
    List<Future<?>> asked = new CopyOnWriteArrayList<>();
    store.onPush(
        KEY.application(),
        push -> {
          asked.add(asking.submit(() -> check(store)));
          while (parked() == 0) {
            Thread.yield(); // until a message is put together while the copy is still in use
          }
        });
    check(store);
    push(4, Push.Kind.KIND_OWNERSHIP_LOST);
    await("word that it was read", () -> first.stream.readThrough == 4);
    asked.get(0).get();
    assertEquals(0, first.messages.get(1).getReadThrough(), "said while the copy was in use");
    assertEquals(0, first.acknowledged.size());
    check(store);
    assertEquals(4, first.messages.get(2).getReadThrough());
    asking.shutdown();
  }

  @Test
  void anExpiredSessionIsOfferedWithItsRecordAndBuriedUnderItsCreation() throws Exception {
    SessionStore store = store(20_000, first.address());
    List<remora.tomcat.store.Push> heard = new CopyOnWriteArrayList<>();
    store.onPush(KEY.application(), heard::add);
    check(store);
    Session record = Session.newBuilder().setEpoch(5).setCreatedVersion(3).build();
    push(2, Push.Kind.KIND_LEAVER);
    await("acknowledgement of an offer of nothing", () -> first.acknowledged.contains(2L));
    first.stream.push(wirePush(0, Push.Kind.KIND_LEAVER).setRecord(record).build());
    await("offer", () -> heard.size() == 1);
    check(store);
    assertEquals(2, first.stream.readThrough, "an offer has no number of its own");
    assertEquals("LEAVER " + KEY + " e5", heard.get(0).toString());
    assertEquals(3, heard.get(0).record().createdVersion());

    List<BuryRequest> asked = new CopyOnWriteArrayList<>();
    first.script =
        (request, stream) -> {
          asked.add(request.getBury());
          stream.reply(
              Reply.newBuilder()
                  .setSerial(request.getSerial())
                  .setBury(BuryReply.newBuilder().setFirst(asked.size() == 1)));
        };
    assertTrue(store.bury(store.nextSerial(), KEY, 3));
    assertFalse(store.bury(store.nextSerial(), KEY, 3));
    assertEquals(3, asked.get(0).getCreatedVersion());
    assertEquals(KEY.application(), asked.get(0).getSession().getApplication());
  }

  @Test
  void aPushThatNobodyListensForIsAcknowledged() throws Exception {
    check(store(20_000, first.address()));
    push(3, Push.Kind.KIND_OWNERSHIP_LOST);
    await("acknowledgement", () -> first.acknowledged.contains(3L));
  }

  @Test
  void anAcknowledgementOfAnOlderStreamIsNotSaidOnTheNextOne() throws Exception {
    SessionStore store = store(20_000, first.address());
    List<remora.tomcat.store.Push> heard = new CopyOnWriteArrayList<>();
    store.onPush(KEY.application(), heard::add);
    check(store);
    push(1, Push.Kind.KIND_OWNERSHIP_LOST);
    await("push", () -> heard.size() == 1);
    first.stream.end();
    await("another stream", () -> first.hellos.size() == 2);
    check(store);
    heard.get(0).acknowledge();
    push(2, Push.Kind.KIND_OWNERSHIP_LOST);
    await("push", () -> heard.size() == 2);
    heard.get(1).acknowledge();
    await("acknowledgement", () -> first.acknowledged.contains(2L));
    assertEquals(Arrays.asList(2L), first.acknowledged);
  }

  @Test
  void aListenerThatBreaksEndsTrustInAllThatWasReadBefore() throws Exception {
    SessionStore store = store(20_000, first.address());
    check(store);
    long readAt = System.nanoTime();
    check(store);
    await("trust", () -> trustedWhileConfirmed(store, readAt));
    store.onPush(
        KEY.application(),
        push -> {
          throw new IllegalStateException("as asked");
        });
    push(1, Push.Kind.KIND_OWNERSHIP_LOST);
    await("another stream", () -> first.hellos.size() == 2);
    check(store);
    first.stream.confirm();
    long readAgain = System.nanoTime();
    check(store);
    await("trust", () -> trustedWhileConfirmed(store, readAgain));
    assertFalse(store.nearCopyTrusted(readAt));
    assertEquals(0, first.acknowledged.size());
  }

  private boolean trustedWhileConfirmed(SessionStore store, long readAt) {
    first.stream.confirm();
    return store.nearCopyTrusted(readAt);
  }

  @Test
  void nearCopiesAreTrustedOnlyOnAnUnbrokenConfirmedStream() throws Exception {
    SessionStore store = store(20_000, first.address());
    long beforeTheStream = System.nanoTime();
    check(store);
    long readAt = System.nanoTime();
    check(store);
    assertFalse(store.nearCopyTrusted(readAt), "nothing was confirmed");
    first.stream.confirm();
    await("trust", () -> store.nearCopyTrusted(readAt));
    assertFalse(store.nearCopyTrusted(beforeTheStream), "the stream is younger than the copy");

    first.stream.end();
    await("another stream", () -> first.hellos.size() == 2);
    check(store);
    first.stream.confirm();
    long readAgain = System.nanoTime();
    check(store);
    await("trust", () -> store.nearCopyTrusted(readAgain));
    assertFalse(store.nearCopyTrusted(readAt), "the stream broke since the copy was read");
  }

  @Test
  void aConfirmationThatWaitedIsWorthWhatIsLeftOfItsProbesSecond() throws Exception {
    SessionStore store = store(20_000, first.address());
    check(store);
    first.stream.confirm();
    await("the second probe", () -> first.stream.probe == 2);
    long probed = System.nanoTime();
    long readAt = System.nanoTime();
    check(store);
    // What a pause does to a reader: words that are older than trust, read just now.
    long older = TimeUnit.MILLISECONDS.toNanos(first.durations.getTrustMs() + 100);
    while (System.nanoTime() - probed < older) {
      check(store);
    }
    first.stream.confirm(2);
    await("the third probe", () -> first.stream.probe == 3);
    assertFalse(store.nearCopyTrusted(readAt), "trusted by a confirmation of long ago");
    first.stream.confirm(2);
    check(store);
    assertFalse(store.nearCopyTrusted(readAt), "trusted by a confirmation that came twice");
    first.stream.confirm(3);
    await("trust", () -> store.nearCopyTrusted(readAt));
    assertEquals(1, first.hellos.size(), "the stream lived on");
  }
}
