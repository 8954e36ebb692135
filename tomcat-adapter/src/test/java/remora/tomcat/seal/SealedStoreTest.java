package remora.tomcat.seal;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.TrustContract;

/** Who stands behind encryption sees no difference: it keeps the contract of the seam. */
class SealedStoreTest extends TrustContract {

  @TempDir Path directory;

  private final FakeStore.Shared shared = new FakeStore.Shared();
  private final List<FakeStore> behind = new ArrayList<>();

  @Override
  protected SessionStore openAs(long instance, long timeoutMillis) {
    FakeStore store = new FakeStore(shared, instance);
    behind.add(store);
    return new SealedStore(store, TestKeys.file(directory, TestKeys.line("k1", 1)));
  }

  @Override
  protected Set<Loss> losses() {
    return EnumSet.of(Loss.SILENCE, Loss.ANSWER);
  }

  @Override
  protected void lose(Loss loss, String command) {
    for (FakeStore fake : behind) {
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
