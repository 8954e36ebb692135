package remora.tomcat.store;

import java.util.EnumSet;
import java.util.Set;

/** The fake that most tests of the adapter stand on keeps the contract of the seam. */
class FakeStoreTest extends TrustContract {

  private final FakeStore.Shared shared = new FakeStore.Shared();

  @Override
  protected SessionStore openAs(long instance, long timeoutMillis) {
    return new FakeStore(shared, instance);
  }

  @Override
  protected Set<Loss> losses() {
    return EnumSet.of(Loss.SILENCE, Loss.ANSWER);
  }

  @Override
  protected void lose(Loss loss, String command) {
    for (SessionStore store : new SessionStore[] {first, hasty}) {
      FakeStore fake = (FakeStore) store;
      fake.stand(loss == Loss.SILENCE ? StoreState.Kind.AWAY : StoreState.Kind.LED);
      fake.answerLost = loss == Loss.ANSWER ? command : null;
    }
  }

  @Override
  protected void recover() {
    lose(null, null);
  }

  @Override
  protected void passTime() {
    shared.passTime(1_000);
  }
}
