package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.catalina.Context;
import org.apache.catalina.Lifecycle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import remora.tomcat.Tomcats.Node;
import remora.tomcat.store.StoreState;
import remora.tomcat.store.StoreUnavailableException;

/** What a Tomcat says before it stops, and for whom it waits. */
@Timeout(60)
class LeavingTest {

  /** Longer than any test may take: whoever waits for it is found to wait. */
  private static final long FAR_NANOS = TimeUnit.SECONDS.toNanos(600);

  private final List<Context> others = new ArrayList<>();
  private final CountDownLatch released = new CountDownLatch(1);
  private Tomcats tomcats;
  private Node node;

  /** Three applications, each with a manager of its own. */
  @BeforeEach
  void start() throws Exception {
    tomcats = new Tomcats();
    node =
        tomcats.start(
            "one",
            null,
            starting -> {
              for (String app : new String[] {"second", "third"}) {
                Context context = starting.tomcat.addContext("/" + app, null);
                context.setManager(starting.newManager(app));
                others.add(context);
              }
            });
  }

  @AfterEach
  void stop() throws Exception {
    released.countDown();
    tomcats.close();
  }

  private List<ServerSteps> listeners() {
    List<ServerSteps> found = new ArrayList<>();
    Arrays.stream(node.tomcat.getServer().findLifecycleListeners())
        .filter(listener -> listener instanceof ServerSteps)
        .forEach(listener -> found.add((ServerSteps) listener));
    return found;
  }

  /** A request that runs until it is released. */
  private void busy() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    node.work =
        (request, response) -> {
          begun.countDown();
          assertTrue(released.await(30, TimeUnit.SECONDS));
        };
    new Thread(
            () -> {
              try {
                node.get("/", null);
              } catch (IOException cut) {
                // the Tomcat stops
              }
            })
        .start();
    assertTrue(begun.await(20, TimeUnit.SECONDS));
  }

  @Test
  void the_store_hears_that_a_tomcat_leaves_while_its_connectors_still_answer() throws Exception {
    List<Integer> answers = new CopyOnWriteArrayList<>();
    node.work = (request, response) -> response.getWriter().print("here");
    node.store.leaving =
        () -> {
          try {
            answers.add(node.get("/", null).status());
          } catch (IOException refused) {
            answers.add(0);
          }
        };
    node.tomcat.stop();
    assertEquals(Arrays.asList(200, 200, 200), answers, "once for each application's store");
  }

  @Test
  void every_store_is_told_before_any_is_waited_for() throws Exception {
    listeners().get(0).leave(FAR_NANOS, FAR_NANOS);
    List<String> order = new ArrayList<>(Collections.nCopies(3, "said"));
    order.addAll(Collections.nCopies(3, "waited for"));
    assertEquals(order, node.store.farewells);
  }

  @Test
  void a_program_that_pauses_connectors_first_says_so_before() throws Exception {
    Embedding program = new Embedding(node.manager);
    program.retire();
    assertEquals(3, Collections.frequency(node.store.farewells, "said"), "of all applications");
    assertTrue(node.store.farewells.contains("waited for"));
    node.context.stop();
    node.store.farewells.clear();
    program.retire();
    assertEquals(Collections.emptyList(), node.store.farewells, "not of one that has stopped");
  }

  @Test
  void a_program_that_has_left_is_announced_again_when_it_says_so_and_no_sooner() throws Exception {
    Embedding program = new Embedding(node.manager);
    assertEquals(3, node.store.announcements.size());
    program.retire();
    node.tomcat.getConnector().setProperty("maxThreads", "31");
    node.manager.backgroundProcess();
    assertEquals(3, node.store.announcements.size(), "it leaves, whatever changes");
    node.tomcat.getConnector().setProperty("maxThreads", "200");
    program.announce();
    assertEquals(6, node.store.announcements.size(), "the same as before, of all applications");
    node.manager.backgroundProcess();
    assertEquals(6, node.store.announcements.size());
  }

  @Test
  void a_view_of_the_sessions_is_opened_neither_while_the_manager_stops_nor_after()
      throws Exception {
    Embedding program = new Embedding(node.manager);
    List<String> tried = new ArrayList<>();
    node.manager.addLifecycleListener(
        event -> {
          if (Lifecycle.BEFORE_STOP_EVENT.equals(event.getType())) {
            assertThrows(StoreUnavailableException.class, program::sessions);
            tried.add("refused");
          }
        });
    assertNotNull(program.sessions());
    node.context.stop();
    assertEquals(Collections.singletonList("refused"), tried);
    assertThrows(StoreUnavailableException.class, program::sessions);
    node.context.start();
    assertNotNull(program.sessions(), "it runs again");
  }

  @Test
  void requests_at_hand_are_waited_for_where_the_store_has_heard() throws Exception {
    busy();
    Thread leaves = new Thread(() -> listeners().get(0).leave(FAR_NANOS, FAR_NANOS), "leaves");
    leaves.start();
    Conditions.await("wait", () -> Conditions.threadsIn(ServerSteps.class, "awaitRequests") == 1);
    released.countDown();
    leaves.join(TimeUnit.SECONDS.toMillis(20));
    assertEquals(Thread.State.TERMINATED, leaves.getState());
  }

  @Test
  void nobody_is_waited_for_where_no_node_leads() throws Exception {
    busy();
    for (StoreState.Kind kind :
        new StoreState.Kind[] {StoreState.Kind.SEEKING, StoreState.Kind.AWAY}) {
      node.store.stand(kind);
      listeners().get(0).leave(FAR_NANOS, FAR_NANOS);
    }
    assertEquals(1, node.manager.traffic().busy(), "the request runs on");
  }

  @Test
  void all_applications_share_one_listener_which_goes_with_the_last() throws Exception {
    assertEquals(1, listeners().size());
    others.get(0).stop();
    node.context.stop();
    assertEquals(1, listeners().size());
    others.get(1).stop();
    assertEquals(0, listeners().size());
  }
}
