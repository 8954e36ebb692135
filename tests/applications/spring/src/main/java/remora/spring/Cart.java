package remora.spring;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.springframework.stereotype.Component;
import org.springframework.web.context.annotation.SessionScope;

/** What a user wants to buy: a session-scoped bean that is changed in place. */
@Component
@SessionScope
public class Cart implements Serializable {

  private static final long serialVersionUID = 1;

  private final List<String> items = new ArrayList<>();

  /** Puts one more item in. */
  public void add(String item) {
    items.add(item);
  }

  public List<String> getItems() {
    return items;
  }
}
