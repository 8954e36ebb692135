package remora.tomcat.store.grpc;

import io.grpc.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import remora.proto.v1.KillSessionsRequest;
import remora.proto.v1.Label;
import remora.proto.v1.ListSessionsReply;
import remora.proto.v1.ListSessionsRequest;
import remora.proto.v1.Refusal;
import remora.proto.v1.SessionFilter;
import remora.proto.v1.SessionSummary;
import remora.proto.v1.StoreAdminGrpc;
import remora.proto.v1.StoreAdminGrpc.StoreAdminFutureStub;
import remora.tomcat.store.SessionDirectory;
import remora.tomcat.store.SessionEntry;
import remora.tomcat.store.SessionKey;
import remora.tomcat.store.StoreOptions;
import remora.tomcat.store.StoreRefusedException;
import remora.tomcat.store.StoreUnavailableException;
import remora.tomcat.store.StoreUnavailableException.Effect;

/**
 * An application's view of its own sessions, over the connection that the session managers of this
 * JVM share: asks whoever leads, and again until the time is up. That is harmless, as nothing here
 * counts on happening once; only what a try has ended whose answer was lost is counted by nobody.
 */
public final class GrpcSessionDirectory implements SessionDirectory {

  /** Sessions in a page: as many as a store gives, for each page is a walk of its table. */
  static final int PAGE_SESSIONS_MAX = 4_000;

  /** Pause before asking again. */
  private static final long RETRY_NANOS = 20_000_000L;

  private final StoreClient client;
  private final StoreOptions options;
  private final String application;
  private final AtomicBoolean closed = new AtomicBoolean();

  private GrpcSessionDirectory(StoreOptions options, String application) {
    this.client = StoreClient.acquire(options, StoreClient.INSTANCE);
    this.options = options;
    this.application = application;
  }

  /**
   * Opens a view. Returns at once, whether or not the store can be reached.
   *
   * @param options where the store is and how long to wait for it
   * @param application whose sessions, as in {@link SessionKey#application()}
   * @return a view, to be closed once
   */
  public static SessionDirectory open(StoreOptions options, String application) {
    return new GrpcSessionDirectory(options, application);
  }

  @Override
  public List<SessionEntry> all() {
    return list(meant().build());
  }

  @Override
  public List<SessionEntry> labelled(String label, String value) {
    return list(labelledWith(label, value));
  }

  @Override
  public SessionEntry find(String hash) {
    List<SessionEntry> found = list(named(hash));
    return found.isEmpty() ? null : found.get(0);
  }

  @Override
  public long endLabelled(String label, String value) {
    return end(labelledWith(label, value));
  }

  @Override
  public boolean end(String hash) {
    return end(named(hash)) > 0;
  }

  private SessionFilter.Builder meant() {
    return SessionFilter.newBuilder().setApplication(application);
  }

  private SessionFilter labelledWith(String label, String value) {
    return meant().addLabels(Label.newBuilder().setName(label).setValue(value)).build();
  }

  /** The prefix is the whole: anything shorter could name the session of somebody else. */
  private SessionFilter named(String hash) {
    if (!SessionDirectory.isHash(hash)) {
      throw new IllegalArgumentException("this is not the whole hash of a session's id");
    }
    return meant().setKeyPrefix(hash).build();
  }

  private List<SessionEntry> list(SessionFilter filter) {
    List<SessionEntry> found = new ArrayList<>();
    Asking asking = new Asking();
    ListSessionsRequest.Builder page =
        ListSessionsRequest.newBuilder().setFilter(filter).setPageSize(PAGE_SESSIONS_MAX);
    do {
      ListSessionsRequest asked = page.build();
      ListSessionsReply reply = asking.until(stub -> stub.listSessions(asked));
      reply.getSessionsList().forEach(each -> found.add(entry(each)));
      asking.problem = "these are more than the first " + found.size();
      page.setPage(reply.getNextPage());
    } while (!page.getPage().isEmpty());
    return found;
  }

  private static SessionEntry entry(SessionSummary summary) {
    SessionKey key =
        new SessionKey(
            summary.getSession().getApplication(), summary.getSession().getKey().toByteArray());
    return new SessionEntry(
        key,
        summary.getPrincipal(),
        summary.getOwner().getNode(),
        summary.getCreatedMs(),
        summary.getLastAccessMs(),
        summary.hasExpiresInSeconds() ? summary.getExpiresInSeconds() : -1);
  }

  private long end(SessionFilter filter) {
    KillSessionsRequest asked = KillSessionsRequest.newBuilder().setFilter(filter).build();
    return new Asking().until(stub -> stub.killSessions(asked)).getKilled();
  }

  /** A thread that asks until the store timeout, which runs from here on, is up. */
  final class Asking {

    private final long deadline =
        System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(options.timeoutMillis());

    private String problem = "";
    private boolean interrupted;

    /** NONE while every try was refused, for a refusal says that nothing happened. */
    private Effect effect = Effect.NONE;

    private long left() {
      return deadline - System.nanoTime();
    }

    /** Asks whoever leads until there is an answer. An interrupt is kept for later. */
    <A> A until(Function<StoreAdminFutureStub, Future<A>> call) {
      if (closed.get()) {
        throw new StoreUnavailableException(
            "this view of the session store is closed", Effect.NONE);
      }
      client.start();
      client.failIfAway(effect);
      client.beginsToWait(options);
      try {
        return again(call);
      } finally {
        client.hasWaited();
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }

    private <A> A again(Function<StoreAdminFutureStub, Future<A>> call) {
      while (left() > 0) {
        client.failIfAway(effect);
        Link link = client.link();
        if (link != null) {
          StoreAdminFutureStub stub =
              StoreAdminGrpc.newFutureStub(link.channel())
                  .withDeadlineAfter(left(), TimeUnit.NANOSECONDS);
          try {
            return answer(call.apply(stub));
          } catch (ExecutionException failed) {
            problem = problem(failed.getCause());
          }
        }
        LockSupport.parkNanos(RETRY_NANOS);
        interrupted |= Thread.interrupted();
      }
      throw new StoreUnavailableException(
          "no answer about sessions from the session store within "
              + options.timeoutMillis()
              + " ms; the last problem was: "
              + (problem.isEmpty() ? client.lastProblem() : problem),
          effect);
    }

    /** Waits for an answer, at most until the deadline that its call carries. */
    private <A> A answer(Future<A> coming) throws ExecutionException {
      while (true) {
        try {
          return coming.get();
        } catch (InterruptedException later) {
          interrupted = true;
        }
      }
    }

    /** What went wrong, in a sentence, if it is worth another try. */
    private String problem(Throwable failed) {
      Status status = Status.fromThrowable(failed);
      Refusal refusal = Link.refusalIn(Status.trailersFromThrowable(failed));
      String text = refusal == null ? Link.describe(status) : refusal.getMessage();
      StoreRefusedException.Reason forGood = forGood(status, refusal);
      if (forGood != null) {
        throw effect == Effect.NONE
            ? new StoreRefusedException(forGood, text)
            : new StoreUnavailableException(
                "a try before may have done what the session store refuses by now: " + text,
                effect);
      }
      if (refusal == null) {
        effect = Effect.POSSIBLE;
      }
      return text;
    }
  }

  /** Why repeating cannot help; null if it may. */
  private static StoreRefusedException.Reason forGood(Status status, Refusal refusal) {
    if (refusal != null && refusal.getReason() == Refusal.Reason.REASON_FORBIDDEN) {
      return StoreRefusedException.Reason.FORBIDDEN;
    } else if (refusal != null && refusal.getReason() == Refusal.Reason.REASON_MALFORMED
        || status.getCode() == Status.Code.INVALID_ARGUMENT) {
      return StoreRefusedException.Reason.MALFORMED;
    }
    return null;
  }

  @Override
  public void close() {
    if (closed.compareAndSet(false, true)) {
      client.release(options);
    }
  }
}
