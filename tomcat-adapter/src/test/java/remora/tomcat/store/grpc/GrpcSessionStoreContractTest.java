package remora.tomcat.store.grpc;

import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.TrustContract;

/**
 * The client keeps the contract of the seam over a node that answers, and over one that does not.
 */
class GrpcSessionStoreContractTest extends TrustContract {

  private TableNode node;

  @BeforeEach
  @Override
  protected void openHandles() throws Exception {
    node = new TableNode(APPLICATION);
    super.openHandles();
  }

  @AfterEach
  @Override
  protected void closeHandles() {
    super.closeHandles();
    node.close();
  }

  @Override
  protected SessionStore openAs(long instance, long timeoutMillis) {
    return GrpcSessionStore.openAs(new StoreOptions(node.address(), "n1", timeoutMillis), instance);
  }

  @Override
  protected Set<Loss> losses() {
    return EnumSet.allOf(Loss.class);
  }

  @Override
  protected void lose(Loss loss, String command) {
    switch (loss) {
      case SILENCE:
        node.fate = TableNode.Fate.DROPPED;
        break;
      case ANSWER:
        node.fate = TableNode.Fate.DONE_UNANSWERED;
        break;
      default:
        node.fate = TableNode.Fate.DONE_UNKNOWN;
    }
  }

  @Override
  protected void recover() {
    node.fate = null;
  }

  @Override
  protected void passTime() {
    node.passTime(1_000);
  }
}
