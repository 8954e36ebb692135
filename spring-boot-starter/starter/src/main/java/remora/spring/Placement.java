package remora.spring;

import org.apache.catalina.Container;
import org.apache.catalina.Context;
import org.apache.catalina.Engine;
import org.springframework.util.StringUtils;
import remora.tomcat.RemoraManager;

/** Where the session manager goes, and by which route its Engine is known. */
final class Placement {

  private final RemoraManager manager;
  private final String route;

  /**
   * Places nothing yet.
   *
   * @param manager the session manager
   * @param route the Engine's jvmRoute; null or empty to leave it as it is
   */
  Placement(RemoraManager manager, String route) {
    this.manager = manager;
    this.route = route;
  }

  /**
   * Gives an application the manager.
   *
   * @param context the application, before it starts
   */
  void into(Context context) {
    if (StringUtils.hasText(route)) {
      for (Container above = context; above != null; above = above.getParent()) {
        if (above instanceof Engine engine) {
          engine.setJvmRoute(route);
        }
      }
    }
    context.setManager(manager);
  }
}
