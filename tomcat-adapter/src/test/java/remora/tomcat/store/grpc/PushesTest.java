package remora.tomcat.store.grpc;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static remora.tomcat.Conditions.await;

import com.google.protobuf.ByteString;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.proto.v1.Push;

/** From when to when near copies are not trusted because of a push that waits in this JVM. */
@Timeout(60)
class PushesTest {

  private static final Push PUSH =
      Push.newBuilder()
          .setKind(Push.Kind.KIND_GONE)
          .setSession(
              remora.proto.v1.SessionKey.newBuilder()
                  .setApplication("localhost/shop")
                  .setKey(ByteString.copyFrom(new byte[16])))
          .build();

  /** As long as a push may wait today, in nanoseconds: half of what the store waits for it. */
  private static final long LATE_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private final Pushes pushes = new Pushes();
  private final CountDownLatch release = new CountDownLatch(1);

  @AfterEach
  void stop() {
    release.countDown();
    pushes.close();
  }

  /** As seen long after everything that has come by now. */
  private boolean isLate() {
    return pushes.isLate(System.nanoTime() + TimeUnit.SECONDS.toNanos(1), LATE_NANOS);
  }

  private void awaitNotLate() throws Exception {
    await("end of the waiting", () -> !isLate());
  }

  private void listenUntilReleased() {
    pushes.listen(
        "localhost/shop",
        (key, kind, epoch) -> {
          try {
            release.await();
          } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
          }
        });
  }

  @Test
  void a_push_is_late_from_the_moment_it_came_until_it_is_delivered() throws Exception {
    listenUntilReleased();
    assertFalse(isLate());
    for (int i = 0; i < 100; i++) {
      assertTrue(pushes.deliver(PUSH, () -> {}));
      assertTrue(isLate(), "before its thread has run and behind others");
    }
    assertFalse(pushes.isLate(System.nanoTime() - TimeUnit.SECONDS.toNanos(60), LATE_NANOS));
    release.countDown();
    awaitNotLate();
  }

  @Test
  void a_listener_that_breaks_leaves_no_push_behind() throws Exception {
    CountDownLatch acknowledged = new CountDownLatch(1);
    pushes.listen(
        "localhost/shop",
        (key, kind, epoch) -> {
          throw new AssertionError("as asked");
        });
    assertTrue(pushes.deliver(PUSH, acknowledged::countDown));
    awaitNotLate();
    pushes.listen("localhost/shop", (key, kind, epoch) -> {});
    assertTrue(pushes.deliver(PUSH, acknowledged::countDown));
    assertTrue(acknowledged.await(10, TimeUnit.SECONDS));
    awaitNotLate();
  }

  @Test
  void a_push_that_finds_no_room_leaves_nothing_behind() throws Exception {
    listenUntilReleased();
    int taken = 0;
    while (pushes.deliver(PUSH, () -> {})) {
      taken++;
    }
    assertTrue(taken >= Pushes.WAITING_MAX);
    release.countDown();
    awaitNotLate();
  }
}
