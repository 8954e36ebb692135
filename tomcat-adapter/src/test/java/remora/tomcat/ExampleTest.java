package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.catalina.LifecycleState;
import org.apache.catalina.core.StandardContext;
import org.apache.catalina.startup.Constants;
import org.apache.catalina.startup.ContextConfig;
import org.apache.catalina.startup.Tomcat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.NamedNodeMap;
import remora.tomcat.store.StoreOptions;

/** What an administrator copies from the repository's examples works as it is written. */
class ExampleTest {

  private static final File EXAMPLE = new File("../examples/context.xml");

  /** Tomcat reads the file as it reads its own; the manager then starts, without its store. */
  @Test
  void tomcat_makes_the_manager_of_context_xml(@TempDir Path base) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(base.toString());
    tomcat.setPort(0);
    tomcat.getConnector().setProperty("address", "127.0.0.1");
    ContextConfig config = new ContextConfig();
    config.setDefaultWebXml(Constants.NoDefaultWebXml);
    StandardContext context = new StandardContext();
    context.setName("");
    context.setPath("");
    context.setDocBase(base.toString());
    context.setConfigFile(EXAMPLE.toURI().toURL());
    context.addLifecycleListener(config);
    tomcat.getHost().addChild(context);
    try {
      tomcat.init();
      context.init();
      RemoraManager manager = (RemoraManager) context.getManager();
      StoreOptions options = new StoreOptions(manager.getStore(), "n1", 1);
      assertEquals(
          Arrays.asList("192.0.2.1:7400", "192.0.2.2:7400", "192.0.2.3:7400"), options.addresses());
      assertEquals("conf/authority.pem", manager.getTlsAuthority());
      // Nobody answers there either, but tests stay on this machine, and have no such files.
      manager.setStore("127.0.0.1:1");
      manager.setTlsAuthority(null);
      manager.setTlsCert(null);
      manager.setTlsKey(null);
      tomcat.start();
      assertEquals(LifecycleState.STARTED, manager.getState());
    } finally {
      tomcat.stop();
      tomcat.destroy();
    }
  }

  /** Tomcat only logs an attribute that it cannot set. */
  @Test
  void every_attribute_has_a_setter() throws Exception {
    NamedNodeMap attributes =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(EXAMPLE)
            .getElementsByTagName("Manager")
            .item(0)
            .getAttributes();
    for (int i = 0; i < attributes.getLength(); i++) {
      String name = attributes.item(i).getNodeName();
      String setter = "set" + Character.toUpperCase(name.charAt(0)) + name.substring(1);
      boolean known =
          Arrays.stream(RemoraManager.class.getMethods())
              .anyMatch(method -> method.getName().equals(setter));
      assertTrue(known || name.equals("className"), name);
    }
  }
}
