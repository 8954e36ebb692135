package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import com.google.protobuf.ByteString;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import remora.proto.v1.KillSessionsReply;
import remora.proto.v1.ListSessionsReply;
import remora.proto.v1.ListSessionsRequest;
import remora.proto.v1.Refusal;
import remora.tomcat.Conditions;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/** How an application's view of its sessions asks; against nodes that obey a script. */
class GrpcSessionDirectoryTest extends TwoNodes {

  private SessionDirectory directory(long timeoutMillis) {
    return directory(new StoreOptions(first.address(), "n1", timeoutMillis));
  }

  private SessionDirectory directory(StoreOptions options) {
    SessionDirectory opened = GrpcSessionDirectory.open(options, "localhost/shop");
    open.add(opened);
    return opened;
  }

  /** With a leader found, so that a short time is not spent on the first connection. */
  private SessionDirectory connected(long timeoutMillis) {
    directory(20_000).all();
    first.admin.lists.clear();
    return directory(timeoutMillis);
  }

  private static Refusal refusal(Refusal.Reason reason) {
    return Refusal.newBuilder().setReason(reason).setMessage("a test says so").build();
  }

  private static <A> FutureTask<A> begin(Callable<A> call) {
    FutureTask<A> task = new FutureTask<>(call);
    new Thread(task, "asks").start();
    return task;
  }

  private static KillSessionsReply killed(long sessions) {
    return KillSessionsReply.newBuilder().setKilled(sessions).build();
  }

  @Test
  void anInterruptBeforeTheCallIsKeptForLater() {
    SessionDirectory sessions = directory(10_000);
    Thread.currentThread().interrupt();
    List<SessionEntry> found;
    try {
      found = sessions.all();
    } finally {
      assertTrue(Thread.interrupted());
    }
    assertEquals(Collections.emptyList(), found);
    assertEquals(1, first.admin.lists.size());
  }

  @Test
  void anInterruptWhileAnAnswerIsWaitedForCancelsNothing() throws Exception {
    List<StreamObserver<KillSessionsReply>> held = new CopyOnWriteArrayList<>();
    first.admin.killing = (asked, answer) -> held.add(answer);
    SessionDirectory sessions = directory(10_000);
    AtomicReference<Thread> asker = new AtomicReference<>();
    FutureTask<Long> ends =
        begin(
            () -> {
              asker.set(Thread.currentThread());
              long ended = sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada");
              assertTrue(Thread.interrupted(), "kept");
              return ended;
            });
    await("a kill", () -> held.size() == 1);
    asker.get().interrupt();
    await("an interrupt that was taken", () -> !asker.get().isInterrupted());
    FakeAdmin.tell(held.get(0), killed(3));
    assertEquals(3, ends.get());
    assertEquals(1, first.admin.kills.size());
  }

  @Test
  void whoIsInterruptedAsksAgainNoFasterThanOthers() {
    first.admin.killing =
        (asked, answer) ->
            answer.onError(FakeNode.asError(refusal(Refusal.Reason.REASON_OVERLOADED)));
    SessionDirectory sessions = connected(1_000);
    Thread.currentThread().interrupt();
    try {
      assertThrows(
          StoreUnavailableException.class,
          () -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada"));
    } finally {
      assertTrue(Thread.interrupted());
    }
    int tries = first.admin.kills.size();
    assertTrue(tries > 1 && tries <= 60, tries + " tries in a second, with a pause of 20 ms");
  }

  private static StoreUnavailableException unavailable(Executable call) {
    return assertThrows(StoreUnavailableException.class, call);
  }

  @Test
  void aRefusalAfterARefusalSaysThatNothingHappened() {
    first.admin.killing =
        (asked, answer) ->
            answer.onError(
                FakeNode.asError(
                    refusal(
                        first.admin.kills.size() == 1
                            ? Refusal.Reason.REASON_NO_QUORUM
                            : Refusal.Reason.REASON_FORBIDDEN)));
    SessionDirectory sessions = directory(10_000);
    StoreRefusedException refused =
        assertThrows(
            StoreRefusedException.class,
            () -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada"));
    assertEquals(StoreRefusedException.Reason.FORBIDDEN, refused.reason());
    assertEquals(2, first.admin.kills.size());
  }

  @Test
  void aRefusalAfterALostAnswerDoesNotSayThatNothingHappened() {
    first.admin.killing =
        (asked, answer) ->
            answer.onError(
                first.admin.kills.size() == 1
                    ? Status.UNAVAILABLE.asRuntimeException()
                    : FakeNode.asError(refusal(Refusal.Reason.REASON_FORBIDDEN)));
    SessionDirectory sessions = directory(10_000);
    StoreUnavailableException lost =
        unavailable(() -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada"));
    assertEquals(StoreUnavailableException.Effect.POSSIBLE, lost.effect());
    assertTrue(lost.getMessage().contains("a test says so"), lost.getMessage());
  }

  @Test
  void aStoreThatIsAwayAfterALostAnswerMayHaveEndedSessions() throws Exception {
    List<StreamObserver<KillSessionsReply>> held = new CopyOnWriteArrayList<>();
    first.admin.killing = (asked, answer) -> held.add(answer);
    SessionDirectory sessions = directory(30_000);
    FutureTask<StoreUnavailableException> ends =
        begin(() -> unavailable(() -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada")));
    await("a kill", () -> held.size() == 1);
    StoreOptions hasty = new StoreOptions(first.address(), "n1", 200);
    SessionStore decides = GrpcSessionStore.openAs(hasty, StoreClient.INSTANCE);
    open.add(decides);
    first.refusal = notLeader("");
    first.stream.end();
    await("an outage", () -> decides.state().kind() == StoreState.Kind.AWAY);
    held.get(0).onError(Status.UNAVAILABLE.asRuntimeException());
    StoreUnavailableException away = ends.get();
    assertEquals(StoreUnavailableException.Effect.POSSIBLE, away.effect());
    assertTrue(away.getMessage().contains("is away"), away.getMessage());
    StoreUnavailableException unasked =
        unavailable(() -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada"));
    assertEquals(StoreUnavailableException.Effect.NONE, unasked.effect());
  }

  @Test
  void whoIsNeverAnsweredWaitsForTheStoreTimeoutAndMayHaveEndedSessions() {
    SessionDirectory sessions = connected(1_000);
    first.admin.killing = (asked, answer) -> {};
    StoreUnavailableException silent =
        assertTimeoutPreemptively(
            Duration.ofSeconds(20),
            () -> unavailable(() -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada")));
    assertEquals(StoreUnavailableException.Effect.POSSIBLE, silent.effect());
    assertTrue(silent.getMessage().contains("1000 ms"), silent.getMessage());
  }

  @Test
  void aClosedViewAsksNobody() {
    SessionDirectory sessions = directory(10_000);
    sessions.close();
    StoreUnavailableException closed =
        unavailable(() -> sessions.endLabelled(SessionDirectory.PRINCIPAL, "ada"));
    assertEquals(StoreUnavailableException.Effect.NONE, closed.effect());
    assertTrue(first.admin.kills.isEmpty());
  }

  @Test
  void lessThanAWholeHashNamesNobody() {
    SessionDirectory sessions = directory(10_000);
    String whole = String.join("", Collections.nCopies(SessionKey.HASH_BYTES, "a7"));
    assertFalse(sessions.end(whole));
    assertNull(sessions.find(whole));
    for (String part : new String[] {"", whole.substring(2), whole + "a7", whole.toUpperCase()}) {
      assertThrows(IllegalArgumentException.class, () -> sessions.end(part));
      assertThrows(IllegalArgumentException.class, () -> sessions.find(part));
    }
    assertEquals(whole, first.admin.kills.get(0).getFilter().getKeyPrefix());
    assertEquals(1, first.admin.kills.size());
    assertEquals(1, first.admin.lists.size());
  }

  private static ListSessionsReply before(String next) {
    return ListSessionsReply.newBuilder().setNextPage(ByteString.copyFromUtf8(next)).build();
  }

  @Test
  void pagesAreAsLargeAsAStoreGivesThemAndFollowEachOther() {
    first.admin.listing =
        (asked, answer) -> FakeAdmin.tell(answer, before(asked.getPage().isEmpty() ? "two" : ""));
    directory(10_000).all();
    List<String> pages =
        first.admin.lists.stream()
            .map(ListSessionsRequest::getPage)
            .map(ByteString::toStringUtf8)
            .collect(Collectors.toList());
    assertEquals(Arrays.asList("", "two"), pages);
    assertEquals(4_000, first.admin.lists.get(0).getPageSize());
  }

  @Test
  void allPagesTogetherHaveTheStoreTimeout() {
    SessionDirectory sessions = connected(1_000);
    first.admin.listing = (asked, answer) -> FakeAdmin.tell(answer, before("another"));
    StoreUnavailableException late = unavailable(sessions::all);
    assertTrue(late.getMessage().contains("1000 ms"), late.getMessage());
    assertTrue(first.admin.lists.size() > 1);
  }

  @Test
  void onlySoManyWaitWhileTheStoreIsSought() throws Exception {
    first.refusal = notLeader("");
    SessionDirectory sessions =
        directory(new StoreOptions(first.address(), "n1", 30_000).withWaitersMax(1));
    FutureTask<List<SessionEntry>> waits = begin(sessions::all);
    await(
        "a caller that waits",
        () -> Conditions.threadsIn(GrpcSessionDirectory.Asking.class, "again") == 1);
    StoreUnavailableException full = unavailable(sessions::all);
    assertEquals(StoreUnavailableException.Effect.NONE, full.effect());
    assertTrue(full.getMessage().contains("1 requests wait"), full.getMessage());
    first.refusal = null;
    assertEquals(Collections.emptyList(), waits.get());
  }
}
