package remora.tomcat;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import remora.tomcat.store.SessionLimit;

/**
 * The attributes on docs/adapter.md are those that {@link ManagerOptions} declares, with the
 * defaults that hold there and the words of {@code examples/context.xml}. After a change of one of
 * them this test, run with {@code UPDATE_GOLDENFILES=1}, writes that part of the page anew.
 */
class AttributesPageTest {

  private static final Path PAGE = Paths.get("..", "docs", "adapter.md");
  private static final Path EXAMPLE = Paths.get("..", "examples", "context.xml");
  private static final String BEGIN = "<!-- attributes -->\n";
  private static final String END = "<!-- end of attributes -->\n";

  /** Where the words on an attribute stand in the example: behind its name, or below it. */
  private static final int WORDS = 20;

  /** Tomcat's own, which is not declared by us. */
  private static final String INHERITED = "sessionAttributeValueClassNameFilter";

  /** An example of each attribute and, where no field says it, what holds without it. */
  private static final Map<String, List<String>> SHOWN = new LinkedHashMap<>();

  static {
    show("store", "192.0.2.1:7400,192.0.2.2:7400", "required");
    show("tlsAuthority", "conf/authority.pem");
    show("tlsCert", "conf/tomcat1.pem");
    show("tlsKey", "conf/tomcat1.key");
    show("allowPlaintext", "true");
    show("app", "shop");
    show("node", "tomcat1", "the Engine's jvmRoute, else the machine's name");
    show("url", "http://10.0.0.5:8080", "its first HTTP connector");
    show("mode", "observe");
    show("onStoreLoss", "refuse");
    show("onUnserializable", "fail");
    show("onConflict", "overwrite");
    show("sessionLimit", "3", "0, any number; at most " + SessionLimit.SESSIONS_MAX);
    show("onSessionLimit", "refuse");
    show("persistEmpty", "true");
    show("storeTimeout", "800ms", "5s");
    show("encryptionKeys", "conf/remora-keys");
    show("key", "a secret of 16 bytes or more");
    show("keyFile", "/etc/remora/id-key");
    show(INHERITED, "java\\.lang\\..*|com\\.example\\..*");
  }

  private static void show(String... words) {
    SHOWN.put(words[0], Arrays.asList(words).subList(1, words.length));
  }

  @Test
  void the_page_says_what_is_declared() throws Exception {
    String written = read(PAGE);
    int begin = written.indexOf(BEGIN) + BEGIN.length();
    int end = written.indexOf(END);
    assertTrue(begin >= BEGIN.length() && end >= begin, "no part between the marks");
    String page = written.substring(0, begin) + "\n" + part() + "\n" + written.substring(end);
    if (System.getenv("UPDATE_GOLDENFILES") != null) {
      Files.write(PAGE, page.getBytes(UTF_8));
    }
    assertEquals(page, read(PAGE));
  }

  @Test
  void every_attribute_is_shown_and_told() throws Exception {
    TreeSet<String> declared = new TreeSet<>();
    declared.add(INHERITED);
    for (Field field : ManagerOptions.class.getDeclaredFields()) {
      if (!Modifier.isStatic(field.getModifiers()) && !field.isSynthetic()) {
        declared.add(field.getName());
      }
    }
    TreeSet<String> told = new TreeSet<>();
    words().keySet().forEach(names -> told.addAll(Arrays.asList(names.split(", "))));
    assertEquals(declared, new TreeSet<>(SHOWN.keySet()));
    assertEquals(declared, told);
  }

  private static String read(Path file) throws Exception {
    return new String(Files.readAllBytes(file), UTF_8);
  }

  private static String part() throws Exception {
    StringBuilder part = new StringBuilder();
    for (Map.Entry<String, String> each : words().entrySet()) {
      List<String> shown = new ArrayList<>();
      String[] names = each.getKey().split(", ");
      for (String name : names) {
        shown.add("`" + name + "=\"" + SHOWN.get(name).get(0) + "\"`");
      }
      part.append("- ").append(String.join(", ", shown));
      part.append(" (").append(standard(names[0])).append("): ");
      part.append(each.getValue()).append(".\n");
    }
    return part.toString();
  }

  /** What holds where the attribute is left out. */
  private static String standard(String name) throws Exception {
    List<String> shown = SHOWN.get(name);
    if (shown.size() > 1) {
      return shown.get(1).equals("required") ? "required" : "default: " + shown.get(1);
    }
    if (name.equals(INHERITED)) {
      return "default: none";
    }
    Field field = ManagerOptions.class.getDeclaredField(name);
    Object value = field.get(new ManagerOptions());
    return "default: " + (value == null ? "none" : value);
  }

  /** What the example says of each attribute, or of some that belong together. */
  private static Map<String, String> words() throws Exception {
    String text = read(EXAMPLE);
    String[] lines = text.substring(text.lastIndexOf("<!--"), text.lastIndexOf("-->")).split("\n");
    Map<String, String> words = new LinkedHashMap<>();
    String names = null;
    for (String line : Arrays.asList(lines).subList(1, lines.length)) {
      if (line.trim().isEmpty() || line.endsWith("left out:")) {
        continue;
      }
      int gap = line.indexOf("  ", 4);
      if (line.charAt(4) != ' ') {
        names = line.substring(4, gap < 0 || gap > WORDS ? line.length() : gap).trim();
        words.put(names, gap < 0 || gap > WORDS ? "" : line.substring(gap).trim());
      } else {
        words.merge(names, line.trim(), (before, more) -> (before + " " + more).trim());
      }
    }
    words.replaceAll((name, said) -> said.substring(0, 1).toUpperCase() + said.substring(1));
    return words;
  }
}
