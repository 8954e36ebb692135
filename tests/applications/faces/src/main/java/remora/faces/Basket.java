package remora.faces;

import jakarta.enterprise.context.SessionScoped;
import jakarta.inject.Named;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/** What a user wants to buy: a session-scoped bean that is changed in place. */
@Named
@SessionScoped
public class Basket implements Serializable {

  private static final long serialVersionUID = 1;

  private final List<String> items = new ArrayList<>();

  /** Puts one more item in. */
  public void add(String item) {
    items.add(item);
  }

  public String getContent() {
    return String.join(",", items);
  }
}
