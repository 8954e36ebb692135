package remora.wicket;

import java.util.ArrayList;
import java.util.List;
import org.apache.wicket.protocol.http.WebSession;
import org.apache.wicket.request.Request;

/** A user's session: what is in the basket. */
public class Visitor extends WebSession {

  private static final long serialVersionUID = 1;

  private final List<String> items = new ArrayList<>();

  Visitor(Request request) {
    super(request);
  }

  static Visitor current() {
    return (Visitor) get();
  }

  /** Puts one more item in; Wicket keeps what is marked dirty. */
  public void add(String item) {
    items.add(item);
    dirty();
  }

  public String getContent() {
    return String.join(",", items);
  }
}
