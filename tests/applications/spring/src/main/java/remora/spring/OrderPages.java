package remora.spring;

import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.SessionAttributes;
import org.springframework.web.bind.support.SessionStatus;

/** Three pages that fill in one order, which the session keeps from page to page. */
@Controller
@SessionAttributes("order")
public class OrderPages {

  @GetMapping("/order")
  String begin(Model model) {
    model.addAttribute("order", new Order());
    return "order";
  }

  @PostMapping("/order/name")
  String name(@ModelAttribute("order") Order order) {
    return "order";
  }

  @PostMapping("/order/street")
  String street(@ModelAttribute("order") Order order) {
    return "order";
  }

  @PostMapping("/order/send")
  String send(@ModelAttribute("order") Order order, SessionStatus status) {
    status.setComplete();
    return "sent";
  }
}
