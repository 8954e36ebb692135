package remora.tomcat.seal;

import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.FakeStoreTest;
import remora.tomcat.store.SessionStore;

/** Who stands behind encryption sees no difference: it keeps the contract of the seam. */
class SealedStoreTest extends FakeStoreTest {

  @TempDir Path directory;

  @Override
  protected SessionStore before(FakeStore fake) {
    return new SealedStore(fake, TestKeys.file(directory, TestKeys.line("k1", 1)));
  }
}
