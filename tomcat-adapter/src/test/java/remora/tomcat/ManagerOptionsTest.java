package remora.tomcat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;

/** What a Tomcat is called when nobody says so. */
class ManagerOptionsTest {

  @Test
  void a_tomcat_without_a_name_is_called_like_its_machine() {
    assertEquals("web-7", ManagerOptions.hostName("web-7"));
    for (String exported : new String[] {null, ""}) {
      String name = ManagerOptions.hostName(exported);
      assertFalse(name.isEmpty());
      assertNotEquals("tomcat", name);
    }
  }

  @Test
  void a_machine_whose_name_has_no_address_is_called_by_it_all_the_same() {
    assertEquals("web-7", ManagerOptions.beforeColon("web-7: web-7: Name or service not known"));
    assertEquals("web-7", ManagerOptions.beforeColon("web-7"));
  }
}
