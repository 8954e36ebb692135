package remora.tomcat.jar;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import remora.tomcat.link.ClassFile;

/** What the jar must and must not hold, so that one jar serves every Tomcat and disturbs nobody. */
class AdapterJarIT {

  /** Class files of Java 8. */
  private static final int JAVA_8 = 52;

  private static final Pattern SERVLET = Pattern.compile("(javax|jakarta)[./]servlet");
  private static final Pattern WIRE =
      Pattern.compile("io[./]grpc[./]|com[./]google[./]|remora[./]proto[./]");
  private static final List<String> NATIVE = Arrays.asList(".so", ".dll", ".jnilib", ".dylib");

  private static final Map<String, byte[]> ENTRIES = new LinkedHashMap<>();

  @BeforeAll
  static void readJar() throws IOException {
    try (JarFile jar = new JarFile(System.getProperty("remora.adapter.jar"))) {
      for (ZipEntry entry : Collections.list(jar.entries())) {
        if (!entry.isDirectory()) {
          ENTRIES.put(entry.getName(), read(jar.getInputStream(entry)));
        }
      }
    }
    assertTrue(ENTRIES.containsKey("remora/tomcat/store/SessionStore.class"));
  }

  private static byte[] read(InputStream input) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    byte[] buffer = new byte[8192];
    for (int length = input.read(buffer); length >= 0; length = input.read(buffer)) {
      bytes.write(buffer, 0, length);
    }
    return bytes.toByteArray();
  }

  private static List<String> names(String ending) {
    return ENTRIES.keySet().stream()
        .filter(name -> name.endsWith(ending))
        .collect(Collectors.toList());
  }

  private static void assertNone(String what, List<String> found) {
    assertEquals(Collections.emptyList(), found, what);
  }

  @Test
  void everyClassIsOursByName() {
    List<String> foreign = names(".class");
    foreign.removeIf(name -> name.startsWith("remora/") || name.startsWith("org/apache/coyote/"));
    assertNone("classes that web applications would see as somebody else's", foreign);
    List<String> coyote = names(".class");
    coyote.removeIf(name -> !name.startsWith("org/apache/coyote/"));
    coyote.removeIf(name -> name.startsWith("org/apache/coyote/CommitHook"));
    assertNone("classes in Tomcat's package that are not the hook", coyote);
  }

  @Test
  void noClassNamesAServletType() throws IOException {
    List<String> all = names(".class");
    assertTrue(all.size() > 20, "too few classes for this test to mean anything: " + all);
    for (String name : all) {
      List<String> texts = new ClassFile(ENTRIES.get(name)).texts();
      texts.removeIf(text -> !SERVLET.matcher(text).find());
      assertNone(name + " names servlet types, which differ between Tomcat 9 and 10", texts);
    }
  }

  @Test
  void onlyTheWiresOwnPackageNamesGrpcAndItsMessages() throws IOException {
    int translators = 0;
    for (String name : names(".class")) {
      if (name.startsWith("remora/tomcat/") || name.startsWith("org/apache/coyote/")) {
        List<String> texts = new ClassFile(ENTRIES.get(name)).texts();
        texts.removeIf(text -> !WIRE.matcher(text).find());
        if (name.startsWith("remora/tomcat/store/grpc/")) {
          translators += texts.isEmpty() ? 0 : 1;
        } else {
          assertNone(name + " names the wire, which the seam keeps from it", texts);
        }
      }
    }
    assertTrue(translators > 5, "too few translators for this test to mean anything");
  }

  @Test
  void everyClassRunsOnJava8() throws IOException {
    List<String> newer = names(".class");
    for (String name : names(".class")) {
      if (new ClassFile(ENTRIES.get(name)).majorVersion() <= JAVA_8) {
        newer.remove(name);
      }
    }
    assertNone("classes for a newer Java than 8", newer);
  }

  @Test
  void nothingIsNative() {
    for (String ending : NATIVE) {
      assertNone("native libraries", names(ending));
    }
  }

  @Test
  void servicesNameClassesThatAreInTheJar() {
    List<String> services = names("");
    services.removeIf(name -> !name.startsWith("META-INF/services/"));
    for (String service : services) {
      assertTrue(service.startsWith("META-INF/services/remora.shaded."), service);
      for (String line : new String(ENTRIES.get(service), StandardCharsets.UTF_8).split("\n")) {
        String provider = line.trim();
        assertTrue(
            provider.isEmpty() || ENTRIES.containsKey(provider.replace('.', '/') + ".class"),
            service + " names " + provider);
      }
    }
  }

  @Test
  void theBillOfMaterialsNamesWhatIsInsideAndNothingOfTomcats() {
    assumeTrue(Boolean.getBoolean("remora.sbom"), "built without -Dsbom, as offline");
    byte[] bytes = ENTRIES.get("META-INF/sbom/remora-tomcat-adapter.cdx.json");
    String bill = new String(bytes, StandardCharsets.UTF_8);
    for (String inside :
        Arrays.asList(
            "pkg:maven/io.grpc/grpc-netty-shaded@",
            "pkg:maven/com.google.protobuf/protobuf-java@")) {
      assertTrue(bill.contains(inside), inside);
    }
    for (String outside : Arrays.asList("org.apache.tomcat", "org.junit")) {
      assertFalse(bill.contains("pkg:maven/" + outside), outside);
    }
  }

  @Test
  void licencesOfWhatIsInsideAreKept() {
    for (String name :
        Arrays.asList("META-INF/THIRD-PARTY.txt", "META-INF/LICENSE-Apache-2.0.txt")) {
      assertTrue(ENTRIES.containsKey(name), name);
    }
    assertNone("signatures of jars that this one is not", names(".SF"));
  }
}
