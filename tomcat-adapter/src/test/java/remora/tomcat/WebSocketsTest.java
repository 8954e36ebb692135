package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What WebSockets are closed with, in each of the releases that pom.xml lists. */
class WebSocketsTest {

  private static final Path JARS = Paths.get("target/tomcats");
  private static final String CORE = "tomcat-embed-core-";
  private static final String SOCKETS = "tomcat-embed-websocket-";

  private static Set<String> releases(String prefix) throws Exception {
    try (Stream<Path> jars = Files.list(JARS)) {
      return jars.map(jar -> jar.getFileName().toString())
          .filter(name -> name.startsWith(prefix))
          .map(name -> name.substring(prefix.length(), name.length() - ".jar".length()))
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  static Set<String> releases() throws Exception {
    return releases(SOCKETS);
  }

  private static URLClassLoader loader(String... jars) throws Exception {
    URL[] urls = new URL[jars.length];
    for (int i = 0; i < jars.length; i++) {
      urls[i] = JARS.resolve(jars[i] + ".jar").toUri().toURL();
    }
    return new URLClassLoader(urls, ClassLoader.getSystemClassLoader().getParent());
  }

  @ParameterizedTest
  @MethodSource("releases")
  void all_that_is_needed_is_there(String release) throws Exception {
    try (URLClassLoader loader = loader(CORE + release, SOCKETS + release)) {
      WebSockets found = WebSockets.in(loader);
      assertNull(found.lacks());
      Class.forName("org.apache.tomcat.websocket.server.WsHttpUpgradeHandler", false, loader);
    }
  }

  @Test
  void every_promised_release_is_looked_at() throws Exception {
    assertEquals(releases(CORE), releases(SOCKETS));
  }

  @Test
  void a_tomcat_without_websockets_lacks_nothing_and_one_that_is_unlike_says_what()
      throws Exception {
    String release = releases().iterator().next();
    try (URLClassLoader without = loader(CORE + release)) {
      assertNull(WebSockets.in(without).lacks());
      assertNull(WebSockets.in(without).socket(new Object()));
    }
    WebSockets unlike = new WebSockets(UnlikeHandler.class);
    assertEquals("java.lang.NoSuchFieldException: wsSession", unlike.lacks());
    assertNull(unlike.socket(new Object()));
  }

  /** Takes connections over and keeps no session where it is looked for. */
  private static final class UnlikeHandler {}
}
