package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import javax.management.DynamicMBean;
import javax.management.MBeanInfo;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.apache.catalina.Context;
import org.apache.catalina.session.StandardManager;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.modeler.Registry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import remora.tomcat.Tomcats.Node;

/** What consoles see of the manager: all that they see of Tomcat's own, and what is ours. */
class JmxTest extends ManyClients {

  /** About the file in which Tomcat's own manager keeps sessions. */
  private static final Set<String> ABOUT_ITS_FILE = Collections.singleton("pathname");

  private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();

  private MBeanInfo info(String engine) throws Exception {
    ObjectName name = new ObjectName(engine + ":type=Manager,host=localhost,context=/");
    return server.getMBeanInfo(name);
  }

  private static Set<String> attributes(MBeanInfo info) {
    return Arrays.stream(info.getAttributes())
        .map(attribute -> attribute.getName())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Set<String> operations(MBeanInfo info) {
    return Arrays.stream(info.getOperations())
        .map(
            operation ->
                operation.getName()
                    + Arrays.stream(operation.getSignature())
                        .map(parameter -> parameter.getType())
                        .collect(Collectors.toList()))
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private MBeanInfo standardManagers(Path home) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.getEngine().setName("jmx-standard");
    tomcat.setBaseDir(home.toString());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    Context context = tomcat.addContext("", home.toString());
    context.setManager(new StandardManager());
    tomcat.start();
    try {
      return info("jmx-standard");
    } finally {
      tomcat.stop();
      tomcat.destroy();
    }
  }

  /** As a Tomcat shows a manager of this very class; the tests' own is a subclass. */
  private static DynamicMBean shown(Node node) throws Exception {
    return Registry.getRegistry(null, null)
        .findManagedBean(null, RemoraManager.class, null)
        .createMBean(node.manager);
  }

  private Node ours() throws Exception {
    return tomcats.start("third", null, node -> node.tomcat.getEngine().setName("jmx-ours"));
  }

  @Test
  void the_block_of_the_standard_manager_is_there(@TempDir Path home) throws Exception {
    MBeanInfo standard = standardManagers(home);
    MBeanInfo ours = shown(ours()).getMBeanInfo();
    Set<String> missing = attributes(standard);
    missing.removeAll(attributes(ours));
    missing.removeAll(ABOUT_ITS_FILE);
    assertEquals(Collections.emptySet(), missing);
    missing = operations(standard);
    missing.removeAll(operations(ours));
    assertEquals(Collections.emptySet(), missing);
  }

  @Test
  void what_is_ours_is_there_beside_it(@TempDir Path home) throws Exception {
    MBeanInfo standard = standardManagers(home);
    Set<String> own = attributes(shown(ours()).getMBeanInfo());
    own.removeAll(attributes(standard));
    assertFalse(own.isEmpty());
    for (String name : new String[] {"application", "store", "node", "onStoreLoss"}) {
      assertEquals(true, own.contains(name), name + " is not among " + own);
    }
  }

  @Test
  void every_attribute_can_be_read_and_counts_what_happens() throws Exception {
    Node third = ours();
    third.work = pages;
    assertAnswered(third.get("/?page=set&value=pears", null));
    DynamicMBean bean = shown(third);
    for (String attribute : attributes(bean.getMBeanInfo())) {
      bean.getAttribute(attribute); // throws if it cannot be read
    }
    assertEquals(1, bean.getAttribute("activeSessions"));
    assertEquals(1L, ((Number) bean.getAttribute("sessionCounter")).longValue());
    String ids = (String) bean.invoke("listSessionIds", new Object[0], new String[0]);
    assertNotNull(ids);
  }

  @Test
  void nothing_is_left_after_a_stop() throws Exception {
    Node third = ours();
    Set<String> before = threads();
    assertEquals(false, server.queryNames(new ObjectName("jmx-ours:*"), null).isEmpty());
    third.tomcat.getHost().removeChild(third.context); // as an undeployment does
    Set<ObjectName> valves = server.queryNames(new ObjectName("jmx-ours:type=Valve,*"), null);
    assertFalse(valves.toString().contains("Remora"), "" + valves);
    third.tomcat.stop();
    Set<ObjectName> left = server.queryNames(new ObjectName("jmx-ours:*"), null);
    left.removeIf(
        name -> !name.toString().contains("Remora") && !name.toString().contains("Manager"));
    assertEquals(Collections.emptySet(), left);
    Conditions.await("end of its threads", () -> !threads().stream().anyMatch(third()));
    assertFalse(before.isEmpty());
  }

  private static Predicate<String> third() {
    return name -> name.contains("third:localhost");
  }

  private static Set<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(name -> name.startsWith("remora"))
        .collect(Collectors.toCollection(TreeSet::new));
  }
}
