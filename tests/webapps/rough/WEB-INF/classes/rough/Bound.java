package rough;

import jakarta.servlet.http.HttpSessionBindingEvent;
import jakarta.servlet.http.HttpSessionBindingListener;
import java.io.IOException;
import java.io.Serializable;

/** A value that gives a signal when its session lets it go. */
public final class Bound implements HttpSessionBindingListener, Serializable {
  private static final long serialVersionUID = 1L;

  private final String signal;

  public Bound(String signal) {
    this.signal = signal;
  }

  @Override
  public void valueUnbound(HttpSessionBindingEvent event) {
    try {
      Signals.record(signal);
    } catch (IOException unwritable) {
      throw new IllegalStateException(unwritable);
    }
  }
}
