package remora.tomcat.copy;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The two tables of a copy, printed whole: what an answer means, and where an event leads. */
class TablesTest {

  private static void assertPrints(String file, List<String> table) throws IOException {
    Path golden = Paths.get("src", "test", "resources", "copy", file);
    if (System.getenv("UPDATE_GOLDENFILES") != null) {
      Files.write(golden, table);
    }
    assertEquals(String.join("\n", Files.readAllLines(golden)), String.join("\n", table));
  }

  @Test
  void every_answer_means_one_thing_to_every_command() throws IOException {
    List<String> table = new ArrayList<>();
    for (Verdict.Command command : Verdict.Command.values()) {
      table.add(command.name());
      for (Verdict.Answer answer : Verdict.Answer.values()) {
        table.add(String.format("  %-10s %s", answer, Verdict.of(command, answer)));
      }
    }
    assertPrints("verdicts.table", table);
  }

  @Test
  void every_event_leads_to_one_life_from_every_other() throws IOException {
    List<String> table = new ArrayList<>();
    for (Life life : Life.values()) {
      table.add(life.name());
      for (Life.Event event : Life.Event.values()) {
        Life next = life.after(event);
        if (next != life) {
          table.add(String.format("  %-14s %s", event, next));
        }
      }
      List<Life> ends = Arrays.asList(Life.ENDED_HERE, Life.ENDED_ELSEWHERE);
      assertEquals(ends.contains(life), life.isOver());
    }
    assertPrints("lives.table", table);
  }
}
