package rough;

import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;
import java.io.IOException;

/** Lets the end of a session take as long as the claim likes, if the session names a signal for it. */
public final class SlowEnd implements HttpSessionListener {

  @Override
  public void sessionDestroyed(HttpSessionEvent event) {
    Object signal = event.getSession().getAttribute("ends");
    if (signal == null) {
      return;
    }
    try {
      Signals.record(signal.toString());
      Signals.awaitGo(signal.toString());
    } catch (IOException unwritable) {
      throw new IllegalStateException(unwritable);
    } catch (InterruptedException stopping) {
      Thread.currentThread().interrupt();
    }
  }
}
