package remora.spring;

import java.util.LinkedHashMap;
import java.util.Map;
import remora.tomcat.RemoraManager;

/**
 * How the store stands for this process, in the words of the actuator.
 *
 * <p>A store that is away is down only where requests are refused meanwhile. Where this process
 * goes on with its sessions it may hold the only copy of what changed: whoever restarts what is not
 * well must not end it. Then the status is a word that Boot counts neither for nor against the
 * whole.
 */
final class StoreHealth {

  /** The store is away, and this process goes on by itself. */
  static final String AWAY = "STORE_AWAY";

  private final RemoraManager manager;

  StoreHealth(RemoraManager manager) {
    this.manager = manager;
  }

  /**
   * The status.
   *
   * @return UP, {@value #AWAY} or OUT_OF_SERVICE
   */
  String status() {
    return switch (manager.getStoreState()) {
      case "LED", "SEEKING" -> "UP";
      default -> refuses() ? "OUT_OF_SERVICE" : AWAY;
    };
  }

  private boolean refuses() {
    return "refuse".equals(manager.getOnStoreLoss()) && "protect".equals(manager.getMode());
  }

  /**
   * What an operator asks next.
   *
   * @return names and values
   */
  Map<String, Object> details() {
    Map<String, Object> details = new LinkedHashMap<>();
    details.put("store", manager.getStoreState());
    details.put("mode", manager.getMode());
    details.put("onStoreLoss", manager.getOnStoreLoss());
    details.put("owingSessions", manager.getOwingSessions());
    details.put("refusedAnswers", manager.getRefusedAnswers());
    return details;
  }
}
