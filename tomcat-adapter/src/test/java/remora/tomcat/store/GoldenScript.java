package remora.tomcat.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A golden script: commands, a line {@code ---}, what was answered, an empty line, and so on. Lines
 * that begin with {@code #} are for people.
 */
public final class GoldenScript {

  private static final String DIVIDER = "---";

  private final List<String> lines;

  public GoldenScript(Path file) throws IOException {
    lines = Files.readAllLines(file, StandardCharsets.UTF_8);
  }

  /** One command of a script: its name, its words in order, and its words of the form key=value. */
  public static final class Command {

    private static final Pattern WORD = Pattern.compile("([^\\s=\"]+)(?:=(\"[^\"]*\"|\\S*))?");

    public final String name;
    private final List<String> words = new ArrayList<>();
    private final List<String[]> pairs = new ArrayList<>();

    private Command(String line) {
      Matcher matcher = WORD.matcher(line);
      while (matcher.find()) {
        String value = matcher.group(2);
        if (value == null) {
          words.add(matcher.group(1));
        } else {
          pairs.add(new String[] {matcher.group(1), value.replace("\"", "")});
        }
      }
      name = words.remove(0);
    }

    public boolean hasNext() {
      return !words.isEmpty();
    }

    public String next() {
      return words.remove(0);
    }

    /** Takes the first value of this key; null if there is none. */
    public String take(String key) {
      for (String[] pair : pairs) {
        if (pair[0].equals(key)) {
          pairs.remove(pair);
          return pair[1];
        }
      }
      return null;
    }

    public long number(String key) {
      String value = take(key);
      return value == null ? 0 : Long.parseLong(value);
    }

    /** Takes all pairs that are left. */
    public List<String[]> takePairs() {
      List<String[]> taken = new ArrayList<>(pairs);
      pairs.clear();
      return taken;
    }

    private void rejectRest() {
      if (!words.isEmpty() || !pairs.isEmpty()) {
        throw new IllegalArgumentException(name + " has words that mean nothing: " + words);
      }
    }
  }

  /** The script as it would stand there if all its answers came from this runner. */
  public List<String> run(Function<Command, String> runner) {
    List<String> told = new ArrayList<>();
    boolean answers = false;
    for (String line : lines) {
      if (answers && !line.isEmpty()) {
        continue;
      }
      if (line.equals(DIVIDER)) {
        answers = true;
        told.addAll(answers(told, runner));
      } else {
        told.add(line);
        answers = false;
      }
    }
    return told;
  }

  public List<String> lines() {
    return lines;
  }

  /** Runs the commands since the last empty line. */
  private static List<String> answers(List<String> told, Function<Command, String> runner) {
    List<String> answers = new ArrayList<>();
    answers.add(DIVIDER);
    for (String line : told.subList(told.lastIndexOf("") + 1, told.size())) {
      if (!line.startsWith("#")) {
        Command command = new Command(line);
        String answer = runner.apply(command);
        command.rejectRest();
        for (String part : answer.split("\n")) {
          answers.add(part);
        }
      }
    }
    return answers;
  }
}
