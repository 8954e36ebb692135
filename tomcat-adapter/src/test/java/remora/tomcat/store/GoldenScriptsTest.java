package remora.tomcat.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The fake that most tests of the adapter stand on answers what the store's own table answers, word
 * for word: the golden scripts of the table are replayed against it.
 */
class GoldenScriptsTest {

  /** Where the store keeps the stories of its table, seen from this module. */
  private static final Path SCRIPTS = Paths.get("..", "store", "table", "scripts");

  /** What the store adds of the labels of a record without any: the seam hears of no labels. */
  private static final String NO_LABEL = " now no label";

  /** Scripts of which the fake knows nothing, and why. */
  private static final Map<String, String> LEFT_OUT = new HashMap<>();

  static {
    LEFT_OUT.put("anew.script", "the fake is never restored from a backup");
    LEFT_OUT.put("formats.script", "nodes agree on a format among themselves");
    LEFT_OUT.put("unformed.script", "so do nodes that have not formed a cluster yet");
    LEFT_OUT.put("labels.script", "of labels the seam knows those of a login alone");
    LEFT_OUT.put("leavers.script", "the fake lets whatever expires leave, and counts no bytes");
    LEFT_OUT.put("leaving.script", "nor does it know an hour after which a leaver goes");
    LEFT_OUT.put("registry.script", "proxies ask for the registry of servers, no session manager");
    LEFT_OUT.put(
        "restart.script", "announces a server to see it in an image; the fake has neither");
    LEFT_OUT.put("watching.script", "operators watch sessions, no session manager does");
    LEFT_OUT.put("wishes.script", "and they wish, through proxies");
  }

  private static TreeSet<String> scripts() throws IOException {
    try (Stream<Path> files = Files.list(SCRIPTS)) {
      return files
          .map(file -> file.getFileName().toString())
          .collect(Collectors.toCollection(TreeSet::new));
    }
  }

  static List<String> replayed() throws IOException {
    return scripts().stream()
        .filter(script -> !LEFT_OUT.containsKey(script))
        .collect(Collectors.toList());
  }

  private static void replay(String script) throws IOException {
    GoldenScript golden = new GoldenScript(SCRIPTS.resolve(script));
    String said = String.join("\n", golden.lines()).replace(NO_LABEL, "");
    assertEquals(said, String.join("\n", golden.run(new ScriptStage()::run)));
  }

  @ParameterizedTest
  @MethodSource("replayed")
  void the_fake_answers_as_the_stores_table_does(String script) throws IOException {
    replay(script);
  }

  @Test
  void all_scripts_are_replayed_but_those_that_use_what_the_seam_cannot_say() throws IOException {
    assertTrue(scripts().size() > 10, "the scripts are gone: " + scripts());
    for (String script : LEFT_OUT.keySet()) {
      assertTrue(scripts().contains(script), script + " is gone; take it off the list");
      assertThrows(UnsupportedOperationException.class, () -> replay(script));
    }
  }
}
