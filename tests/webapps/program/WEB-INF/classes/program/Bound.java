package program;

import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionBindingListener;
import java.io.Serializable;

/** A value that hears when it is bound and unbound, and may then do what its text says. */
public class Bound implements HttpSessionBindingListener, Serializable {
  private static final long serialVersionUID = 1L;

  final String text;

  Bound(String text) {
    this.text = text;
  }

  @Override
  public void valueBound(HttpSessionBindingEvent event) {
    Events.note(event.getSession(), "bound " + event.getName() + " " + text);
    if (text.equals("sets")) {
      event.getSession().setAttribute("set-when-bound", "by " + event.getName());
    }
    if (text.equals("throws-bound")) {
      throw new IllegalStateException("asked to fail");
    }
  }

  @Override
  public void valueUnbound(HttpSessionBindingEvent event) {
    Events.note(event.getSession(), "unbound " + event.getName() + " " + text);
    if (text.equals("sets-unbound")) {
      event.getSession().setAttribute("set-when-unbound", "by " + event.getName());
    }
    if (text.equals("reads-unbound")) {
      Object other = event.getSession().getAttribute("other");
      Events.note(event.getSession(), "other is " + Shown.of(other));
    }
    if (text.equals("throws-unbound")) {
      throw new IllegalStateException("asked to fail");
    }
  }
}
