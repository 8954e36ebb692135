package remora.tomcat.store.grpc;

import java.io.File;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/** Real store nodes on free loopback ports, killed when closed. */
final class StoreCluster implements AutoCloseable {

  /** Names the store's executable; without it the one that cargo built beside us is taken. */
  private static final String EXECUTABLE_VARIABLE = "REMORA_STORE_BIN";

  /** A debug build on a busy machine forms a cluster in a second or two. */
  private static final long READY_SECONDS_MAX = 60;

  private final List<Node> nodes = new ArrayList<>();

  /** One process and its addresses. */
  static final class Node {
    final String client;
    final String ops;
    private final List<String> command;
    private final Path log;
    private Process process;

    private Node(String client, String ops, List<String> command, Path log) {
      this.client = client;
      this.ops = ops;
      this.command = command;
      this.log = log;
    }

    private void start() throws IOException {
      process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
              .start();
    }

    /** Sends a signal by name, as in KILL, STOP, CONT. */
    void signal(String name) throws IOException, InterruptedException {
      String pid = String.valueOf(pidOf(process));
      new ProcessBuilder("kill", "-" + name, pid).inheritIO().start().waitFor();
      if (name.equals("KILL")) {
        process.waitFor();
      }
    }
  }

  /** Starts that many nodes and waits until one leads; skips the test where there is no store. */
  static StoreCluster start(int count, Path directory) throws Exception {
    File executable = executable();
    Assumptions.assumeTrue(
        executable.canExecute(),
        "no session store: build it with cargo build -p remora-store, or set "
            + EXECUTABLE_VARIABLE);
    StoreCluster cluster = new StoreCluster();
    try {
      cluster.launch(executable, count, directory);
    } catch (Exception | Error failed) {
      cluster.close();
      throw failed;
    }
    return cluster;
  }

  private static File executable() {
    String named = System.getenv(EXECUTABLE_VARIABLE);
    if (named == null) {
      return Paths.get("..", "target", "debug", "remora-store").toFile();
    }
    File file = new File(named);
    if (!file.canExecute()) {
      throw new IllegalStateException(EXECUTABLE_VARIABLE + "=" + named + " is no executable");
    }
    return file;
  }

  private void launch(File executable, int count, Path directory) throws Exception {
    int[] ports = freePorts(count * 3);
    StringBuilder members = new StringBuilder();
    for (int i = 0; i < count; i++) {
      members.append(i == 0 ? "" : ",").append(i + 1).append('=').append(at(ports[3 * i]));
    }
    for (int i = 0; i < count; i++) {
      String client = at(ports[3 * i + 1]);
      String ops = at(ports[3 * i + 2]);
      Path log = directory.resolve("node" + (i + 1) + ".log");
      List<String> command =
          new ArrayList<>(
              Arrays.asList(
                  executable.getPath(),
                  "--node-id",
                  String.valueOf(i + 1),
                  "--data-dir",
                  directory.resolve("node" + (i + 1)).toString(),
                  "--client-addr",
                  client,
                  "--peer-addr",
                  at(ports[3 * i]),
                  "--ops-addr",
                  ops));
      if (count > 1) {
        command.addAll(Arrays.asList("--cluster", members.toString()));
      }
      Node node = new Node(client, ops, command, log);
      nodes.add(node);
      node.start();
    }
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(READY_SECONDS_MAX);
    for (Node node : nodes) {
      while (!isReady(node)) {
        if (System.nanoTime() - deadline > 0 || !node.process.isAlive()) {
          throw new IllegalStateException(
              "a store node is not ready:\n" + new String(Files.readAllBytes(node.log), "UTF-8"));
        }
        TimeUnit.MILLISECONDS.sleep(50);
      }
    }
  }

  private static String at(int port) {
    return "127.0.0.1:" + port;
  }

  private static int[] freePorts(int count) throws IOException {
    List<ServerSocket> held = new ArrayList<>();
    int[] ports = new int[count];
    for (int i = 0; i < count; i++) {
      held.add(new ServerSocket(0, 1, InetAddress.getLoopbackAddress()));
      ports[i] = held.get(i).getLocalPort();
    }
    for (ServerSocket socket : held) {
      socket.close();
    }
    return ports;
  }

  private static boolean isReady(Node node) {
    try {
      HttpURLConnection connection =
          (HttpURLConnection) new URL("http://" + node.ops + "/readyz").openConnection();
      connection.setConnectTimeout(500);
      connection.setReadTimeout(500);
      return connection.getResponseCode() == 200;
    } catch (IOException notYet) {
      return false;
    }
  }

  /** All client addresses, as in context.xml. */
  String addresses() {
    List<String> addresses = new ArrayList<>();
    nodes.forEach(node -> addresses.add(node.client));
    return String.join(",", addresses);
  }

  /** The node that serves this client address. */
  Node node(String client) {
    for (Node node : nodes) {
      if (node.client.equals(client)) {
        return node;
      }
    }
    throw new IllegalArgumentException("no node serves " + client);
  }

  private static long pidOf(Process process) throws IOException {
    try {
      return (long) Process.class.getMethod("pid").invoke(process);
    } catch (ReflectiveOperationException javaEight) {
      throw new IOException("these tests need Java 9 or later", javaEight);
    }
  }

  @Override
  public void close() {
    for (Node node : nodes) {
      if (node.process != null) {
        node.process.destroyForcibly();
      }
    }
  }
}
