package remora.tomcat.store.grpc;

import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import org.apache.juli.logging.Log;
import org.apache.juli.logging.LogFactory;
import remora.proto.v1.Status;
import remora.tomcat.store.ApplicationStatus;

/** How this Tomcat's applications fare, taken together now and then. */
final class Figures {

  /** How often figures are taken. */
  private static final long STATUS_NANOS = 5_000_000_000L;

  private static final Log LOG = LogFactory.getLog(Figures.class);

  private final Map<String, Supplier<ApplicationStatus>> suppliers = new ConcurrentHashMap<>();

  /** When they were taken last; only used by the leader finder's thread. */
  private long takenNanos = System.nanoTime() - STATUS_NANOS;

  void measure(String application, Supplier<ApplicationStatus> supplier) {
    suppliers.put(application, supplier);
  }

  /** An application is not served here any more. */
  void forget(String application) {
    suppliers.remove(application);
  }

  /** Tells them if they are due; called again and again while a leader stands. */
  void tell(Outbox outbox, long nowNanos) {
    if (nowNanos - takenNanos < STATUS_NANOS) {
      return;
    }
    takenNanos = nowNanos;
    Status figures = status();
    if (figures != null) {
      outbox.tell(figures);
    }
  }

  /** The figures of this moment; null while nobody gives any. */
  private Status status() {
    if (suppliers.isEmpty()) {
      return null;
    }
    Status.Builder status = Status.newBuilder();
    int busy = 0;
    int inFlight = 0;
    for (String application : new TreeSet<>(suppliers.keySet())) {
      ApplicationStatus one = ask(application);
      if (one != null) {
        busy += one.busy();
        inFlight += one.inFlight();
        status.addApplications(
            Status.Application.newBuilder()
                .setApplication(application)
                .setLocal(one.local())
                .setUndecodable(one.undecodable())
                .setRefused(one.refused())
                .setChangedInPlace(one.changedInPlace())
                .addAllClasses(one.classes()));
      }
    }
    return status.setBusy(busy).setInFlight(inFlight).build();
  }

  private ApplicationStatus ask(String application) {
    Supplier<ApplicationStatus> supplier = suppliers.get(application);
    try {
      return supplier == null ? null : supplier.get();
    } catch (RuntimeException broken) {
      LOG.error("The figures of " + application + " cannot be told", broken);
      return null;
    }
  }
}
