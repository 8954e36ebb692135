package program;

import jakarta.servlet.http.HttpSessionActivationListener;
import jakarta.servlet.http.HttpSessionEvent;
import java.io.Serializable;

/** A value that hears when its session moves. */
public class Active implements HttpSessionActivationListener, Serializable {
  private static final long serialVersionUID = 1L;

  final String text;

  Active(String text) {
    this.text = text;
  }

  @Override
  public void sessionWillPassivate(HttpSessionEvent event) {
    Events.note(event.getSession(), "will passivate " + text);
  }

  @Override
  public void sessionDidActivate(HttpSessionEvent event) {
    Events.note(event.getSession(), "did activate " + text);
  }
}
