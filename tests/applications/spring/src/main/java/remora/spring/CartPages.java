package remora.spring;

import java.security.Principal;
import org.springframework.stereotype.Controller;
import org.springframework.ui.Model;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.servlet.mvc.support.RedirectAttributes;

/** The way in, the cart, and the page that only an administrator may see. */
@Controller
public class CartPages {

  private final Cart cart;
  private final Trail trail;

  CartPages(Cart cart, Trail trail) {
    this.cart = cart;
    this.trail = trail;
  }

  @GetMapping("/login")
  String login() {
    return "login";
  }

  @GetMapping("/cart")
  String show(Model model, Principal user) {
    model.addAttribute("user", user.getName());
    model.addAttribute("items", String.join(",", cart.getItems()));
    model.addAttribute("pages", trail.next());
    return "cart";
  }

  @PostMapping("/cart")
  String add(String item, RedirectAttributes redirect) {
    cart.add(item);
    redirect.addFlashAttribute("note", "added " + item);
    return "redirect:/cart";
  }

  @GetMapping("/audit")
  String audit() {
    return "audit";
  }
}
