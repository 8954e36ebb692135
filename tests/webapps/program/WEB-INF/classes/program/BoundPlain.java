package program;

import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionBindingListener;

/** Hears of its binding, and is not serializable. */
public class BoundPlain implements HttpSessionBindingListener {
  final String text;

  BoundPlain(String text) {
    this.text = text;
  }

  @Override
  public void valueBound(HttpSessionBindingEvent event) {
    Events.note(event.getSession(), "bound " + event.getName() + " " + text);
  }

  @Override
  public void valueUnbound(HttpSessionBindingEvent event) {
    Events.note(event.getSession(), "unbound " + event.getName() + " " + text);
  }
}
