package remora.tomcat.link;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.CodeSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.coyote.CommitHook;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Our classes, compiled against one release, beside each of the releases that pom.xml lists: what
 * they use is there, what they override is there, and nothing that they had to implement came in
 * between.
 */
class TomcatReleasesTest {

  private static final Path RELEASES = Paths.get("target/tomcats");
  private static final String JAR = "tomcat-embed-core-";

  /** Oldest first. */
  static List<String> releases() throws IOException {
    try (Stream<Path> jars = Files.list(RELEASES)) {
      return jars.map(jar -> jar.getFileName().toString())
          .filter(name -> name.startsWith(JAR))
          .map(name -> name.substring(JAR.length(), name.length() - ".jar".length()))
          .sorted(Comparator.comparing(TomcatReleasesTest::number))
          .collect(Collectors.toList());
    }
  }

  private static int number(String release) {
    int number = 0;
    for (String part : release.split("\\.")) {
      number = number * 1000 + Integer.parseInt(part);
    }
    return number;
  }

  private static URL ours() {
    return CommitHook.class.getProtectionDomain().getCodeSource().getLocation();
  }

  /** Our classes beside a release of Tomcat, and nothing else but the JDK. */
  private static void beside(String release, Consumer<ClassLoader> look) throws IOException {
    URL tomcat = RELEASES.resolve(JAR + release + ".jar").toUri().toURL();
    ClassLoader jdk = ClassLoader.getSystemClassLoader().getParent();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {tomcat, ours()}, jdk)) {
      look.accept(loader);
    }
  }

  /** Ours that extend or implement something of Tomcat's. */
  private static Set<String> heirs() throws Exception {
    Map<String, ClassFile> files = new HashMap<>();
    Path root = Paths.get(ours().toURI());
    try (Stream<Path> classes = Files.walk(root)) {
      for (Path path : (Iterable<Path>) classes.filter(TomcatReleasesTest::isClass)::iterator) {
        ClassFile file = new ClassFile(Files.readAllBytes(path));
        files.put(file.name(), file);
      }
    }
    Set<String> heirs = new TreeSet<>();
    for (String name : files.keySet()) {
      if (isHeir(name, files)) {
        heirs.add(name.replace('/', '.'));
      }
    }
    return heirs;
  }

  private static boolean isClass(Path path) {
    return path.toString().endsWith(".class");
  }

  private static boolean isHeir(String name, Map<String, ClassFile> ours) {
    ClassFile file = ours.get(name);
    return file == null
        ? name.startsWith("org/apache/")
        : file.parents().stream().anyMatch(parent -> isHeir(parent, ours));
  }

  @Test
  void the_oldest_of_each_line_is_what_we_promise_and_newer_ones_follow() throws Exception {
    List<String> oldest = new ArrayList<>();
    Set<String> lines = new TreeSet<>();
    for (String release : releases()) {
      if (lines.add(release.substring(0, release.lastIndexOf('.')))) {
        oldest.add(release);
      }
    }
    assertEquals(TomcatMembers.OLDEST, oldest);
    assertTrue(releases().size() >= 3 * oldest.size(), "oldest, newest, and one between");
  }

  @ParameterizedTest
  @MethodSource("releases")
  void all_that_we_use_is_there(String release) throws Exception {
    beside(
        release,
        loader -> {
          assertEquals(Collections.emptyList(), TomcatMembers.missing(loader));
        });
  }

  @ParameterizedTest
  @MethodSource("releases")
  void all_that_we_override_is_there_and_nothing_is_left_abstract(String release) throws Exception {
    Set<String> heirs = heirs();
    assertTrue(heirs.size() >= 4, "too few for this test to mean anything: " + heirs);
    beside(
        release,
        loader -> {
          for (String heir : heirs) {
            Set<String> here = overridden(heir, TomcatReleasesTest.class.getClassLoader());
            here.removeAll(overridden(heir, loader));
            assertEquals(Collections.emptySet(), here, heir + " overrides what is not there");
            assertEquals(Collections.emptyList(), leftAbstract(heir, loader), heir);
          }
        });
  }

  private static Class<?> load(String name, ClassLoader loader) {
    try {
      return Class.forName(name, false, loader);
    } catch (ClassNotFoundException absent) {
      throw new IllegalStateException(absent);
    }
  }

  private static String signature(Method method) {
    return method.getName() + Arrays.toString(method.getParameterTypes());
  }

  /** Methods of one of our classes that a class or interface of Tomcat's has, too. */
  private static Set<String> overridden(String heir, ClassLoader loader) {
    Set<String> tomcats = new TreeSet<>();
    Set<String> own = new TreeSet<>();
    for (Class<?> type = load(heir, loader); type != null; type = type.getSuperclass()) {
      CodeSource source = type.getProtectionDomain().getCodeSource();
      boolean isOurs = source != null && ours().equals(source.getLocation());
      for (Method method : type.getDeclaredMethods()) {
        if (!Modifier.isPrivate(method.getModifiers())) {
          (isOurs ? own : tomcats).add(signature(method));
        }
      }
      for (Class<?> above : type.getInterfaces()) {
        for (Method method : above.getMethods()) {
          tomcats.add(signature(method));
        }
      }
    }
    own.retainAll(tomcats);
    return own;
  }

  private static List<String> leftAbstract(String heir, ClassLoader loader) {
    Class<?> loaded = load(heir, loader);
    if (Modifier.isAbstract(loaded.getModifiers())) {
      return Collections.emptyList(); // its own heir is looked at
    }
    return Arrays.stream(loaded.getMethods())
        .filter(method -> Modifier.isAbstract(method.getModifiers()))
        .map(Method::toString)
        .collect(Collectors.toList());
  }

  @Test
  void a_tomcat_that_lacks_something_is_told_with_what_it_lacks() throws Exception {
    ClassLoader jdk = ClassLoader.getSystemClassLoader().getParent();
    try (URLClassLoader without = new URLClassLoader(new URL[] {ours()}, jdk)) {
      List<String> missing = TomcatMembers.missing(without);
      assertTrue(missing.contains("org.apache.catalina.session.ManagerBase"), "" + missing);
    }
    String said =
        assertThrows(
                IllegalArgumentException.class,
                () -> TomcatMembers.check("9.0.1", Arrays.asList("x.Y.z()V")))
            .getMessage();
    assertEquals(
        "Remora runs on Tomcat "
            + String.join(", ", TomcatMembers.OLDEST)
            + " and later releases of these lines. This one, 9.0.1, lacks x.Y.z()V",
        said);
  }
}
