package remora.sample;

import jakarta.servlet.http.HttpSession;
import java.security.Principal;
import java.util.ArrayList;
import java.util.List;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.security.core.session.SessionRegistry;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** What users see: who they are, where they are served, and a list that is changed in place. */
@RestController
class Pages {

  private static final String VISITS = "visits";

  private final String node;
  private final SessionRegistry registry;

  Pages(@Value("${remora.route:}") String node, SessionRegistry registry) {
    this.node = node;
    this.registry = registry;
  }

  @GetMapping("/")
  String home(Principal user, HttpSession session) {
    @SuppressWarnings("unchecked")
    List<String> visits = (List<String>) session.getAttribute(VISITS);
    if (visits == null) {
      visits = new ArrayList<>();
      session.setAttribute(VISITS, visits);
    }
    visits.add(node);
    return "user=" + user.getName() + " node=" + node + " visits=" + String.join(",", visits);
  }

  /** Everybody who is logged in, in whichever process. */
  @GetMapping("/users")
  List<Object> users() {
    return registry.getAllPrincipals();
  }
}
