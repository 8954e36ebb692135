package remora.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/**
 * Applications that lack what the starter knows to serve: each starts, with the session manager in
 * its Tomcat and with no bean that would need what is not there.
 *
 * <p>Each runs in a loader that truly lacks it. One that only hides it would not do: what the
 * starter's own classes name would still be found by their own loader.
 */
class ClassPathsTest {

  /** What jars of each begin with, on either line of Boot. */
  private static final String[] SECURITY = {"spring-security-", "spring-boot-security"};

  private static final String[] OPEN_ID = {
    "spring-security-oauth2-", "spring-boot-security-oauth2-"
  };
  private static final String[] ACTUATOR = {
    "spring-boot-actuator", "spring-boot-health", "spring-boot-micrometer-", "micrometer-core"
  };
  private static final String[] SESSION = {"spring-session-"};
  private static final String[] WEB_SOCKET = {"tomcat-embed-websocket"};

  /** What every application has. */
  private static final String[] ALWAYS = {
    "remoraManager",
    "remoraPlacement",
    "remoraEmbedding",
    "remoraRegistryLifecycle",
    "remoraOnTomcat"
  };

  private static final String[] HEALTH = {"remoraStoreHealth", "remoraHealthIndicator"};
  private static final String[] REGISTRY = {"remoraSessionRegistry"};
  private static final String[] OPEN_ID_REGISTRY = {"remoraOidcSessionRegistry"};
  private static final String[] REPOSITORY = {"remoraSessionRepository"};
  private static final String[] ENDPOINT = {"remoraSessionsEndpoint"};

  private static Set<String> all(String[]... lists) {
    Set<String> all = new TreeSet<>();
    for (String[] list : lists) {
      all.addAll(Arrays.asList(list));
    }
    return all;
  }

  /** What this JVM's class path has, but for jars that begin so. */
  private static List<URL> without(Set<String> beginnings) throws Exception {
    List<URL> left = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      String name = Path.of(entry).getFileName().toString();
      if (beginnings.stream().noneMatch(name::startsWith)) {
        left.add(Path.of(entry).toUri().toURL());
      }
    }
    return left;
  }

  /** Our beans in an application that lacks some jars. */
  private static Set<?> started(String[]... lacking) throws Exception {
    String[] arguments = {
      "--server.port=0",
      "--spring.main.banner-mode=off",
      "--spring.main.register-shutdown-hook=false",
      "--logging.register-shutdown-hook=false",
      "--remora.store=127.0.0.1:1",
      "--management.endpoints.web.exposure.include=sessions"
    };
    Thread thread = Thread.currentThread();
    ClassLoader own = thread.getContextClassLoader();
    List<URL> left = without(all(lacking));
    // Not closed: threads that end load from it to the last.
    URLClassLoader lean =
        new URLClassLoader(left.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
    thread.setContextClassLoader(lean);
    try {
      Class<?> application = lean.loadClass(LeanApplication.class.getName());
      return (Set<?>)
          application.getMethod("beans", String[].class).invoke(null, (Object) arguments);
    } finally {
      thread.setContextClassLoader(own);
    }
  }

  @Test
  void without_spring_security() throws Exception {
    Set<?> beans = started(SECURITY, SESSION);
    assertThat(beans).isEqualTo(all(ALWAYS, HEALTH, ENDPOINT));
  }

  @Test
  void without_spring_session_and_open_id() throws Exception {
    Set<?> beans = started(OPEN_ID, SESSION);
    assertThat(beans).isEqualTo(all(ALWAYS, HEALTH, ENDPOINT, REGISTRY));
  }

  @Test
  void without_actuator() throws Exception {
    Set<?> beans = started(ACTUATOR);
    assertThat(beans).isEqualTo(all(ALWAYS, REGISTRY, OPEN_ID_REGISTRY, REPOSITORY));
  }

  @Test
  void without_any_of_them_nor_web_sockets() throws Exception {
    Set<?> beans = started(ACTUATOR, SECURITY, SESSION, WEB_SOCKET);
    assertThat(beans).isEqualTo(all(ALWAYS));
  }
}
