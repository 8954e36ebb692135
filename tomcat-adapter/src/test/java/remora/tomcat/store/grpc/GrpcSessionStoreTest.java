package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import remora.proto.v1.Refusal;
import remora.proto.v1.Reply;
import remora.proto.v1.Request;
import remora.proto.v1.Unknown;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/** How the client finds the leader, repeats and groups; against nodes that obey a script. */
class GrpcSessionStoreTest extends TwoNodes {

  @Test
  void aRefusedStreamFollowsTheHintToANodeItWasNotTold() {
    first.refusal = notLeader(second.address());
    check(store(20_000, first.address()));
    assertEquals(0, first.messages.size());
    assertEquals(1, second.messages.size());
  }

  @Test
  void anElectionIsWaitedOutUnseen() throws Exception {
    first.refusal = notLeader("");
    second.refusal = notLeader("");
    SessionStore store = store(20_000, first.address(), second.address());
    ExecutorService thread = Executors.newSingleThreadExecutor();
    Future<?> call = thread.submit(() -> check(store));
    await("search", () -> first.hellos.size() > 3);
    second.refusal = null;
    call.get();
    thread.shutdown();
  }

  @Test
  void whatABrokenStreamDidNotAnswerGoesAgainWithItsSerialAndOnceOnly() throws Exception {
    second.refusal = notLeader("");
    first.script =
        (request, stream) -> {
          second.refusal = null;
          first.refusal = notLeader(second.address());
          stream.end();
        };
    check(store(20_000, first.address(), second.address()));
    assertEquals(first.messages.get(0).getRequests(0), second.messages.get(0).getRequests(0));
    assertEquals(1, second.messages.size());
  }

  @Test
  void unknownAndOverloadedAreRepeatedWithTheSameSerial() {
    AtomicInteger asked = new AtomicInteger();
    List<Long> serials = new ArrayList<>();
    first.script =
        (request, stream) -> {
          serials.add(request.getSerial());
          int time = asked.getAndIncrement();
          if (time == 0) {
            Unknown unknown = Unknown.getDefaultInstance();
            stream.reply(Reply.newBuilder().setSerial(request.getSerial()).setUnknown(unknown));
          } else if (time == 1) {
            stream.refuse(request, Refusal.Reason.REASON_OVERLOADED, "");
          } else {
            stream.current(request);
          }
        };
    check(store(20_000, first.address()));
    assertEquals(3, serials.size());
    assertEquals(1, serials.stream().distinct().count());
  }

  @Test
  void aNodeThatLosesLeadershipWithinTheStreamIsLeft() {
    second.refusal = notLeader(first.address());
    first.script =
        (request, stream) -> {
          first.refusal = notLeader(second.address());
          second.refusal = null;
          stream.refuse(request, Refusal.Reason.REASON_NOT_LEADER, second.address());
        };
    check(store(20_000, first.address(), second.address()));
    assertEquals(1, second.messages.size());
  }

  @Test
  void aLeaderThatFallsSilentIsLeft() {
    second.refusal = notLeader("");
    first.script =
        (request, stream) -> {
          first.frozen = true;
          second.refusal = null;
        };
    check(store(20_000, first.address(), second.address()));
  }

  @Test
  void aNodeThatNeverWelcomesHoldsUpNobody() {
    first.frozen = true;
    long begun = System.nanoTime();
    check(store(20_000, first.address(), second.address()));
    assertTrue(System.nanoTime() - begun < TimeUnit.SECONDS.toNanos(3));
  }

  @Test
  void refusalsForGoodThrowAtOnceWithTheirSentence() {
    first.script = (request, stream) -> stream.refuse(request, Refusal.Reason.REASON_TOO_LARGE, "");
    SessionStore store = store(20_000, first.address());
    StoreRefusedException large =
        assertThrows(StoreRefusedException.class, () -> store.check(KEY, 1, 1));
    assertEquals(StoreRefusedException.Reason.TOO_LARGE, large.reason());
    assertEquals("a test says so", large.getMessage());
    first.script = (request, stream) -> stream.refuse(request, Refusal.Reason.REASON_MALFORMED, "");
    StoreRefusedException malformed =
        assertThrows(StoreRefusedException.class, () -> store.check(KEY, 1, 1));
    assertEquals(StoreRefusedException.Reason.MALFORMED, malformed.reason());
    assertEquals(2, first.messages.size());
  }

  @Test
  void noAnswerInTimeThrowsAndSaysWhatIsWrong() {
    first.close();
    SessionStore store = store(300, first.address());
    long begun = System.nanoTime();
    StoreUnavailableException gone =
        assertThrows(StoreUnavailableException.class, () -> store.check(KEY, 1, 1));
    long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
    assertTrue(waited >= 300 && waited < 3_000, "waited " + waited + " ms");
    assertTrue(gone.getMessage().contains(first.address()), gone.getMessage());
    boolean said = gone.getMessage().contains("300 ms") || gone.getMessage().contains("is away");
    assertTrue(said, gone.getMessage());
  }

  @Test
  void aStoreThatStaysOverloadedIsNamedAsTheReason() {
    first.script =
        (request, stream) -> stream.refuse(request, Refusal.Reason.REASON_OVERLOADED, "");
    SessionStore store = store(2_000, first.address());
    StoreUnavailableException busy =
        assertThrows(StoreUnavailableException.class, () -> store.check(KEY, 1, 1));
    assertTrue(busy.getMessage().contains("a test says so"), busy.getMessage());
    assertTrue(first.messages.size() > 3, "tried only " + first.messages.size() + " times");
  }

  @Test
  void aCallAloneLeavesAtOnceAndUnderPressureCallsShareMessages() throws Exception {
    List<Request> held = new ArrayList<>();
    CountDownLatch full = new CountDownLatch(GroupWindow.START);
    first.script =
        (request, stream) -> {
          synchronized (held) {
            held.add(request);
          }
          full.countDown();
        };
    SessionStore store = store(20_000, first.address());
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Future<?>> calls = new ArrayList<>();
    for (int i = 0; i < GroupWindow.START; i++) {
      int sent = i + 1;
      calls.add(threads.submit(() -> check(store)));
      await("message " + sent, () -> first.messages.size() == sent);
    }
    full.await();
    for (int i = 0; i < 50; i++) {
      calls.add(threads.submit(() -> check(store)));
    }
    await("fifty waiting calls", () -> parked() >= GroupWindow.START + 50);
    assertEquals(GroupWindow.START, first.messages.size());
    first.script = (request, stream) -> stream.current(request);
    synchronized (held) {
      held.forEach(first.stream::current);
    }
    for (Future<?> call : calls) {
      call.get();
    }
    threads.shutdown();
    assertEquals(GroupWindow.START + 1, first.messages.size());
    assertEquals(50, first.messages.get(GroupWindow.START).getRequestsCount());
  }

  @Test
  void theSecondStreamNamesTheClusterOfTheFirst() throws Exception {
    SessionStore store = store(20_000, first.address());
    check(store);
    first.stream.end();
    await("another stream", () -> first.hellos.size() == 2);
    assertEquals(Arrays.asList("", "c1"), clusters());
  }

  @Test
  void aStoreThatWasRestoredIsTakenAtItsWord() throws Exception {
    SessionStore store = store(20_000, first.address());
    check(store);
    first.refusal =
        Refusal.newBuilder()
            .setReason(Refusal.Reason.REASON_WRONG_CLUSTER)
            .setMessage("this store is c2")
            .setCluster("c2")
            .build();
    first.stream.end();
    await("a Hello for the other cluster", () -> clusters().contains("c2"));
    first.refusal = null;
    check(store);
  }

  private List<String> clusters() {
    return first.hellos.stream().map(hello -> hello.getCluster()).collect(Collectors.toList());
  }

  @Test
  void theHelloSaysWhereTheConnectionComesFromAndForWhichApplications() {
    SessionStore store = store(20_000, first.address());
    store.onPush("localhost/shop", push -> {});
    check(store);
    assertEquals("/" + first.hellos.get(0).getAddress(), first.callers.get(0).toString());
    assertEquals(Arrays.asList("localhost/shop"), first.hellos.get(0).getApplicationsList());
  }

  @Test
  void addressesAreSaidAsTheFarSideWritesThem() throws Exception {
    assertEquals("10.0.0.11:40000", literal(new byte[] {10, 0, 0, 11}, 0));
    byte[] six = new byte[16];
    six[0] = (byte) 0xfe;
    six[1] = (byte) 0x80;
    six[15] = 1;
    assertEquals("[fe80:0:0:0:0:0:0:1]:40000", literal(six, 3));
    assertEquals("", Link.literal(null));
  }

  private static String literal(byte[] address, int zone) throws Exception {
    InetAddress host =
        address.length == 4
            ? InetAddress.getByAddress(address)
            : Inet6Address.getByAddress(null, address, zone);
    return Link.literal(new InetSocketAddress(host, 40_000));
  }

  @Test
  void onlySoManyCallsWaitWhileTheStoreIsSought() throws Exception {
    first.refusal = notLeader("");
    StoreOptions options = new StoreOptions(first.address(), "n1", 30_000).withWaitersMax(2);
    SessionStore store = GrpcSessionStore.openAs(options, INSTANCES.incrementAndGet());
    open.add(store);
    ExecutorService threads = Executors.newCachedThreadPool();
    List<Future<?>> waiting = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      waiting.add(threads.submit(() -> check(store)));
    }
    await("two waiting calls", () -> parked() == 2);
    StoreUnavailableException full =
        assertThrows(StoreUnavailableException.class, () -> store.check(KEY, 1, 1));
    assertEquals(StoreUnavailableException.Effect.NONE, full.effect());
    assertTrue(full.getMessage().contains("2 requests wait"), full.getMessage());
    first.refusal = null;
    for (Future<?> each : waiting) {
      each.get();
    }
    threads.shutdown();
  }

  @Test
  void callsThatWaitAreDecidedWhenTheStoreIsAway() throws Exception {
    first.refusal = notLeader("");
    long instance = INSTANCES.incrementAndGet();
    SessionStore patient =
        GrpcSessionStore.openAs(new StoreOptions(first.address(), "n1", 3_600_000), instance);
    open.add(patient);
    List<String> order = new CopyOnWriteArrayList<>();
    patient.onState(state -> order.add(state.toString()));
    ExecutorService thread = Executors.newSingleThreadExecutor();
    Future<StoreUnavailableException> waiting =
        thread.submit(
            () -> {
              StoreUnavailableException decided =
                  assertThrows(StoreUnavailableException.class, () -> patient.check(KEY, 1, 1));
              order.add("decided as " + patient.state());
              return decided;
            });
    await("a waiting call", () -> parked() == 1);
    SessionStore hasty =
        GrpcSessionStore.openAs(new StoreOptions(first.address(), "n1", 200), instance);
    open.add(hasty);
    assertEquals(StoreUnavailableException.Effect.NONE, waiting.get().effect());
    assertEquals(Arrays.asList("AWAY", "decided as AWAY"), order);
    thread.shutdown();
    first.refusal = null;
    await("another stream", () -> first.stream != null);
    assertThrows(StoreUnavailableException.class, () -> hasty.check(KEY, 1, 1), "unconfirmed");
    first.stream.confirm();
    await("a leader", () -> hasty.state().kind() == StoreState.Kind.LED);
    check(patient);
  }

  @Test
  void aCallWhoseTimeIsUpWhileTheStoreIsSoughtWaitsForTheVerdict() {
    first.refusal = notLeader("");
    SessionStore store = store(1_000, first.address());
    StoreUnavailableException decided =
        assertThrows(StoreUnavailableException.class, () -> store.check(KEY, 1, 1));
    assertEquals(StoreState.Kind.AWAY, store.state().kind(), decided.getMessage());
    assertTrue(decided.getMessage().contains("is away"), decided.getMessage());
  }

  @Test
  void aLeaderWithoutAMajorityIsLeft() {
    second.refusal = notLeader("");
    first.script =
        (request, stream) -> {
          first.frozen = true;
          second.refusal = null;
        };
    ScheduledExecutorService speaking = Executors.newScheduledThreadPool(1);
    speaking.scheduleAtFixedRate(
        () -> {
          if (first.stream != null) {
            first.stream.confirm(0);
          }
        },
        0,
        20,
        TimeUnit.MILLISECONDS);
    check(store(30_000, first.address(), second.address()));
    speaking.shutdownNow();
  }

  @Test
  void handlesShareOneStreamAndTheLastOneEndsItAndItsThreads() throws Exception {
    StoreOptions options = new StoreOptions(first.address(), "n1", 5_000);
    long instance = INSTANCES.incrementAndGet();
    SessionStore one = GrpcSessionStore.openAs(options, instance);
    SessionStore two = GrpcSessionStore.openAs(options, instance);
    check(one);
    check(two);
    assertEquals(1, first.hellos.size());
    for (Thread thread : storeThreads()) {
      assertTrue(thread.isDaemon(), thread.getName());
      assertSame(getClass().getClassLoader(), thread.getContextClassLoader(), thread.getName());
    }
    assertFalse(storeThreads().isEmpty());
    one.close();
    one.close();
    check(two);
    two.close();
    await("end of all threads", () -> storeThreads().isEmpty());
    assertThrows(StoreUnavailableException.class, () -> two.check(KEY, 1, 1));
  }

  private static List<Thread> storeThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("remora-store"))
        .collect(Collectors.toList());
  }

  @Test
  void badAddressesAreRefusedWithASentence() {
    for (String wrong : Arrays.asList("", "localhost", "a:1,,b:2", "a:0", "a:99999", ":7400")) {
      IllegalArgumentException refused =
          assertThrows(IllegalArgumentException.class, () -> new StoreOptions(wrong, "n1", 1_000));
      assertTrue(refused.getMessage().contains("host:port"), refused.getMessage());
    }
  }
}
