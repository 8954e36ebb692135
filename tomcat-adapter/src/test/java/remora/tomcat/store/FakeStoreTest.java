package remora.tomcat.store;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The fake that most tests of the adapter stand on keeps the contract of the seam; so does what
 * stands before it.
 */
public class FakeStoreTest extends TrustContract {

  private final FakeStore.Shared shared = new FakeStore.Shared();
  private final List<FakeStore> fakes = new ArrayList<>();

  @Override
  protected SessionStore openAs(long instance, long timeoutMillis) {
    FakeStore fake = new FakeStore(shared, instance);
    fakes.add(fake);
    return before(fake);
  }

  /** What is asked in place of a fake. */
  protected SessionStore before(FakeStore fake) {
    return fake;
  }

  @Override
  protected Set<Loss> losses() {
    return EnumSet.of(Loss.SILENCE, Loss.ANSWER);
  }

  @Override
  protected void lose(Loss loss, String command) {
    for (FakeStore fake : fakes) {
      if (fake.instance() == first.instance()) {
        fake.stand(loss == Loss.SILENCE ? StoreState.Kind.AWAY : StoreState.Kind.LED);
        fake.answerLost = loss == Loss.ANSWER ? command : null;
      }
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
