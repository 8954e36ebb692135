package remora.tomcat.codec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import javax.security.auth.Subject;
import javax.tools.ToolProvider;
import org.apache.catalina.session.Constants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Tomcat sets for itself is told from the attributes of an application. */
class ContainerOwnedTest {

  /** Tomcat sets it, with the session id in clear, when a user who is logged in opens a socket. */
  private static final String SOCKETS =
      "org.apache.tomcat.websocket.server.WsHttpSessionBindingListener";

  /** A request's attribute, which old releases do not persist in a session either. */
  private static final String GSS_CREDENTIAL = "org.apache.catalina.realm.GSS_CREDENTIAL";

  @Test
  void the_listener_that_holds_the_session_id_stays_on_its_tomcat(@TempDir Path folder)
      throws Exception {
    Path file = folder.resolve(SOCKETS.replace('.', '/') + ".java");
    Files.createDirectories(file.getParent());
    String source =
        "package org.apache.tomcat.websocket.server;"
            + " public class WsHttpSessionBindingListener implements java.io.Serializable {"
            + " public String key = \"0123456789ABCDEF\"; }";
    Files.write(file, source.getBytes(UTF_8));
    assertEquals(
        0, ToolProvider.getSystemJavaCompiler().run(null, null, null, file.toString()), "javac");
    // Releases from 9.0.121 on have the real one beside us, which cannot be made by hand.
    URL[] only = {folder.toUri().toURL()};
    try (URLClassLoader loader = new URLClassLoader(only, null)) {
      Object value = Class.forName(SOCKETS, true, loader).getConstructor().newInstance();
      assertTrue(ContainerOwned.contains(SOCKETS, value));
      UnstorableException refused =
          assertThrows(UnstorableException.class, () -> ContainerOwned.check(SOCKETS, value));
      assertEquals(Unstorable.CONTAINER, refused.kind());
      assertEquals(SOCKETS, refused.className());
      assertTrue(refused.getMessage().contains("WsServerContainer.java"), refused.getMessage());
      assertFalse(refused.getMessage().contains("0123456789ABCDEF"), refused.getMessage());
      assertFalse(ContainerOwned.contains("sockets", value), "by its name too");
    }
  }

  @Test
  void all_that_tomcat_itself_never_persists_is_listed() {
    for (String name : Constants.excludedAttributeNames) {
      assertTrue(ContainerOwned.names().contains(name) || GSS_CREDENTIAL.equals(name), name);
    }
  }

  @Test
  void an_applications_attribute_is_its_own_whatever_its_name() {
    for (String name : ContainerOwned.names()) {
      for (Object value : Arrays.asList("text", new ArrayList<>())) {
        assertFalse(ContainerOwned.contains(name, value), name);
        assertDoesNotThrow(() -> ContainerOwned.check(name, value));
      }
    }
    assertTrue(ContainerOwned.contains("javax.security.auth.subject", new Subject()));
    String nonces = "org.apache.catalina.filters.CSRF_NONCE";
    assertFalse(ContainerOwned.contains(nonces, new ArrayList<>()));
  }
}
