package rough;

import jakarta.websocket.OnMessage;
import jakarta.websocket.server.ServerEndpoint;

/** A socket that says everything again. */
@ServerEndpoint("/secure/socket")
public final class Socket {

  /**
   * Answers.
   *
   * @param text what was said
   * @return the same
   */
  @OnMessage
  public String again(String text) {
    return text;
  }
}
