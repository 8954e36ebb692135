package remora.tomcat.store.grpc;

import io.grpc.stub.StreamObserver;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiConsumer;
import remora.proto.v1.KillSessionsReply;
import remora.proto.v1.KillSessionsRequest;
import remora.proto.v1.ListSessionsReply;
import remora.proto.v1.ListSessionsRequest;
import remora.proto.v1.StoreAdminGrpc;

/** What is asked of a {@link FakeNode} about sessions: remembered, and answered as a test says. */
final class FakeAdmin extends StoreAdminGrpc.StoreAdminImplBase {

  /** Every page that was asked for. */
  final List<ListSessionsRequest> lists = new CopyOnWriteArrayList<>();

  /** Every kill that came. */
  final List<KillSessionsRequest> kills = new CopyOnWriteArrayList<>();

  /** Answers who lists; by default with no session. */
  volatile BiConsumer<ListSessionsRequest, StreamObserver<ListSessionsReply>> listing =
      (asked, answer) -> tell(answer, ListSessionsReply.getDefaultInstance());

  /** Answers who kills; by default that there was nothing to end. */
  volatile BiConsumer<KillSessionsRequest, StreamObserver<KillSessionsReply>> killing =
      (asked, answer) -> tell(answer, KillSessionsReply.getDefaultInstance());

  static <A> void tell(StreamObserver<A> asker, A answer) {
    asker.onNext(answer);
    asker.onCompleted();
  }

  @Override
  public void listSessions(ListSessionsRequest asked, StreamObserver<ListSessionsReply> answer) {
    lists.add(asked);
    listing.accept(asked, answer);
  }

  @Override
  public void killSessions(KillSessionsRequest asked, StreamObserver<KillSessionsReply> answer) {
    kills.add(asked);
    killing.accept(asked, answer);
  }
}
