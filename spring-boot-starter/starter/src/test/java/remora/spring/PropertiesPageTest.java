package remora.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.springframework.boot.json.JsonParserFactory;

/**
 * The properties on docs/spring.md are those of the metadata that editors complete from. After a
 * change of one of them this test, run with {@code UPDATE_GOLDENFILES=1}, writes that part of the
 * page anew.
 */
class PropertiesPageTest {

  private static final Path PAGE = Path.of("..", "..", "docs", "spring.md");
  private static final String BEGIN = "<!-- properties -->\n";
  private static final String END = "<!-- end of properties -->\n";
  private static final String METADATA = "META-INF/spring-configuration-metadata.json";

  @Test
  void the_page_says_what_the_metadata_does() throws Exception {
    String written = Files.readString(PAGE);
    int begin = written.indexOf(BEGIN) + BEGIN.length();
    int end = written.indexOf(END);
    assertThat(begin).as("a part between the marks").isBetween(BEGIN.length(), end);
    String page = written.substring(0, begin) + "\n" + part() + "\n" + written.substring(end);
    if (System.getenv("UPDATE_GOLDENFILES") != null) {
      Files.writeString(PAGE, page);
    }
    assertThat(Files.readString(PAGE)).isEqualTo(page);
  }

  private static String part() throws Exception {
    Map<String, String> lines = new TreeMap<>();
    ClassLoader loader = RemoraProperties.class.getClassLoader();
    for (URL each : Collections.list(loader.getResources(METADATA))) {
      try (InputStream stream = each.openStream()) {
        String json = new String(stream.readAllBytes(), StandardCharsets.UTF_8);
        Object properties = JsonParserFactory.getJsonParser().parseMap(json).get("properties");
        for (Object property : properties instanceof List<?> list ? list : List.of()) {
          Map<?, ?> said = (Map<?, ?>) property;
          String name = String.valueOf(said.get("name"));
          if (name.startsWith("remora.")) {
            lines.put(name, line(name, said));
          }
        }
      }
    }
    return String.join("", lines.values());
  }

  private static String line(String name, Map<?, ?> said) {
    Object standard = said.get("defaultValue");
    String without =
        "remora.store".equals(name)
            ? "required"
            : "default: " + (standard == null ? "none" : standard);
    assertThat(said.get("description")).as(name).isNotNull();
    return "- `" + name + "` (" + without + "): " + said.get("description") + "\n";
  }
}
