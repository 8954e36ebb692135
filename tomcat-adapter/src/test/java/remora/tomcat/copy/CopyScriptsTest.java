package remora.tomcat.copy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import remora.tomcat.store.GoldenScript;

/**
 * The stories of one copy, word for word. {@code UPDATE_GOLDENFILES=1} in the environment writes
 * what is answered now: read the difference before it is committed.
 */
class CopyScriptsTest {

  private static final Path SCRIPTS = Paths.get("src", "test", "resources", "copy");

  static List<Path> scripts() throws IOException {
    try (Stream<Path> files = Files.list(SCRIPTS)) {
      return files
          .filter(file -> file.toString().endsWith(".script"))
          .sorted()
          .collect(Collectors.toList());
    }
  }

  @ParameterizedTest
  @MethodSource("scripts")
  void a_copy_does_what_its_story_says(Path script) throws IOException {
    GoldenScript golden = new GoldenScript(script);
    List<String> told = golden.run(new CopyStage()::run);
    if (System.getenv("UPDATE_GOLDENFILES") != null) {
      Files.write(script, told);
    }
    assertEquals(String.join("\n", golden.lines()), String.join("\n", told));
  }

  @Test
  void every_story_is_there() throws IOException {
    assertTrue(scripts().size() >= 10, "stories are gone: " + scripts());
  }
}
