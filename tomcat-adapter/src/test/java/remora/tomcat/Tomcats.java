package remora.tomcat;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.Stream;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.startup.Tomcat;
import org.apache.coyote.http2.Http2Protocol;
import remora.tomcat.keeper.PauseTicker;
import remora.tomcat.store.FakeStore;
import remora.tomcat.store.SessionStore;
import remora.tomcat.store.StoreOptions;

/** Real Tomcats in this JVM whose managers share a {@link FakeStore.Shared}. */
final class Tomcats implements AutoCloseable {

  /** What the application does with a request. */
  @FunctionalInterface
  interface Work {
    void serve(HttpServletRequest request, HttpServletResponse response) throws Exception;
  }

  /** One Tomcat. */
  static final class Node {
    final Tomcat tomcat = new Tomcat();
    final FakeStore store;
    final StoreCalls calls;
    final RemoraManager manager;
    final Context context;
    final PauseTicker ticker = new PauseTicker(System.nanoTime(), System.currentTimeMillis());
    volatile Work work;
    private final AtomicLong aheadNanos = new AtomicLong();
    private boolean paused;

    /** What the manager made of its element. */
    volatile StoreOptions options;

    private Node(
        FakeStore.Shared table, Path base, String name, String route, Consumer<Node> prepare)
        throws LifecycleException {
      store = new FakeStore(table);
      calls = new StoreCalls(store);
      tomcat.setBaseDir(base.toString());
      tomcat.setPort(0);
      tomcat.getConnector().setProperty("address", "127.0.0.1");
      tomcat.getConnector().addUpgradeProtocol(new Http2Protocol());
      tomcat.getEngine().setJvmRoute(route);
      context = tomcat.addContext("", base.toString());
      Tomcat.addServlet(
              context,
              "work",
              new HttpServlet() {
                private static final long serialVersionUID = 1L;

                @Override
                protected void service(HttpServletRequest request, HttpServletResponse response)
                    throws IOException {
                  try {
                    work.serve(request, response);
                  } catch (IOException | RuntimeException passOn) {
                    throw passOn;
                  } catch (Exception broken) {
                    throw new IllegalStateException(broken);
                  }
                }
              })
          .setAsyncSupported(true);
      context.addServletMappingDecoded("/*", "work");
      manager = newManager(name);
      context.setManager(manager);
      prepare.accept(this);
      tomcat.start();
    }

    /** A manager of another application of this Tomcat, over the same store. */
    RemoraManager newManager(String app) {
      RemoraManager made =
          new RemoraManager() {
            @Override
            SessionStore openStore(StoreOptions asked) {
              Node.this.options = asked;
              return calls.watched();
            }

            @Override
            PauseTicker ticker() {
              return ticker;
            }

            @Override
            long nanoTime() {
              return super.nanoTime() + aheadNanos.get();
            }
          };
      made.setStore("127.0.0.1:1");
      made.setApp(app);
      return made;
    }

    /** For the sessions of this Tomcat so much time passes, whatever the clock on the wall says. */
    void passTime(long seconds) {
      aheadNanos.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
    }

    /** The process stood still and has just woken. */
    synchronized void pause() {
      ticker.tick(System.nanoTime() + 2 * PauseTicker.PAUSE_NANOS, System.currentTimeMillis());
      paused = true;
    }

    private synchronized void tick() {
      if (!paused) {
        ticker.tick(System.nanoTime(), System.currentTimeMillis());
      }
    }

    /** One request on a connection of its own. */
    Answer get(String path, String cookie, Work served) throws IOException {
      work = served;
      return get(path, cookie);
    }

    Answer get(String path, String cookie) throws IOException {
      return ask("GET", path, cookie);
    }

    /** A request without a body. */
    Answer ask(String method, String path, String cookie) throws IOException {
      try (Socket socket = new Socket("127.0.0.1", tomcat.getConnector().getLocalPort())) {
        socket.setSoTimeout(20_000);
        OutputStream out = socket.getOutputStream();
        String head =
            method
                + " "
                + path
                + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n"
                + (cookie == null ? "" : "Cookie: " + cookie + "\r\n")
                + "\r\n";
        out.write(head.getBytes(StandardCharsets.ISO_8859_1));
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        InputStream in = socket.getInputStream();
        try {
          for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            all.write(buffer, 0, n);
          }
        } catch (IOException cut) {
          // what arrived before the cut is the answer
        }
        return new Answer(new String(all.toByteArray(), StandardCharsets.ISO_8859_1));
      }
    }
  }

  /** An answer as it came over the wire. */
  static final class Answer {
    final String text;

    private Answer(String text) {
      this.text = text;
    }

    int status() {
      return text.isEmpty() ? 0 : Integer.parseInt(text.substring(9, 12));
    }

    String header(String name) {
      for (String line : text.substring(0, Math.max(0, text.indexOf("\r\n\r\n"))).split("\r\n")) {
        if (line.toLowerCase().startsWith(name.toLowerCase() + ":")) {
          return line.substring(name.length() + 1).trim();
        }
      }
      return null;
    }

    String body() {
      int end = text.indexOf("\r\n\r\n");
      return end < 0 ? "" : text.substring(end + 4);
    }

    /** The session cookie as a client sends it back; null if none was set. */
    String cookie() {
      String set = header("Set-Cookie");
      return set == null ? null : set.substring(0, set.indexOf(';'));
    }
  }

  /** Ticks for all nodes, as the one ticker of a JVM does: only what a test says is a pause. */
  private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();

  final FakeStore.Shared table = new FakeStore.Shared();
  private final List<Node> nodes = new ArrayList<>();
  private final Path base;

  Tomcats() throws IOException {
    base = Files.createTempDirectory("remora-tomcats");
  }

  Node start(String name, String route) throws LifecycleException, IOException {
    return start(name, route, node -> {});
  }

  /** A Tomcat that is prepared before it starts. */
  Node start(String name, String route, Consumer<Node> prepare)
      throws LifecycleException, IOException {
    Path home = Files.createDirectories(base.resolve(name));
    Node node = new Node(table, home, name, route, prepare);
    nodes.add(node);
    clock.scheduleWithFixedDelay(node::tick, 0, 100, TimeUnit.MILLISECONDS);
    return node;
  }

  /** A handle of somebody else: an operator, or a Tomcat that is not here. */
  FakeStore stranger() {
    return new FakeStore(table);
  }

  @Override
  public void close() throws LifecycleException, IOException {
    clock.shutdownNow();
    for (Node node : nodes) {
      node.tomcat.stop();
      node.tomcat.destroy();
    }
    try (Stream<Path> left = Files.walk(base)) {
      left.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
    }
  }
}
