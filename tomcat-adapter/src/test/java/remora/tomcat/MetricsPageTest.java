package remora.tomcat;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * The adapter's part of docs/metrics.md is what JMX says of its attributes. After a change of
 * {@code mbeans-descriptors.xml} this test, run with {@code UPDATE_GOLDENFILES=1}, writes the part
 * anew.
 */
class MetricsPageTest {

  private static final Path PAGE = Paths.get("..", "docs", "metrics.md");
  private static final String BEGIN = "<!-- adapter -->\n";
  private static final String END = "<!-- end of adapter -->\n";

  @Test
  void the_page_says_what_consoles_show() throws Exception {
    String written = read();
    int begin = written.indexOf(BEGIN) + BEGIN.length();
    int end = written.indexOf(END);
    assertTrue(begin >= BEGIN.length() && end >= begin, "no part between the marks");
    String page = written.substring(0, begin) + "\n" + part() + written.substring(end);
    if (System.getenv("UPDATE_GOLDENFILES") != null) {
      Files.write(PAGE, page.getBytes(UTF_8));
    }
    assertEquals(page, read());
  }

  private static String read() throws Exception {
    return new String(Files.readAllBytes(PAGE), UTF_8);
  }

  /** The attributes of the manager, in the order and under the headings of the file. */
  private static String part() throws Exception {
    Element manager;
    try (InputStream in = RemoraManager.class.getResourceAsStream("mbeans-descriptors.xml")) {
      manager =
          (Element)
              DocumentBuilderFactory.newInstance()
                  .newDocumentBuilder()
                  .parse(in)
                  .getElementsByTagName("mbean")
                  .item(0);
    }
    StringBuilder part = new StringBuilder();
    for (Node node = manager.getFirstChild(); node != null; node = node.getNextSibling()) {
      if (node.getNodeType() == Node.COMMENT_NODE) {
        part.append(part.length() == 0 ? "" : "\n");
        part.append("### ").append(node.getNodeValue().trim()).append("\n\n");
      } else if (node.getNodeName().equals("attribute")) {
        part.append(line((Element) node));
      }
    }
    return part.append("\n").toString();
  }

  private static String line(Element attribute) {
    String type = attribute.getAttribute("type");
    String kind = type.substring(type.lastIndexOf('.') + 1);
    boolean fixed = attribute.getAttribute("writeable").equals("false");
    return String.format(
        "- `%s` (%s%s): %s.\n",
        attribute.getAttribute("name"),
        kind.equals("String") ? "text" : kind,
        fixed ? "" : ", may be set",
        attribute.getAttribute("description"));
  }
}
