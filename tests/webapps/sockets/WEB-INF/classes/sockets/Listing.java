package sockets;

import jakarta.servlet.http.HttpSession;
import jakarta.websocket.Endpoint;
import jakarta.websocket.EndpointConfig;
import jakarta.websocket.MessageHandler;
import jakarta.websocket.Session;
import java.io.IOException;
import java.util.List;

/** Adds each message to the session's list in place, but for a question mark, and says what it heard. */
public final class Listing extends Endpoint {

  @Override
  public void onOpen(Session socket, EndpointConfig config) {
    HttpSession session = (HttpSession) config.getUserProperties().get(Deploys.SESSION);
    socket.addMessageHandler(
        new MessageHandler.Whole<String>() {
          @Override
          public void onMessage(String text) {
            hear(socket, session, text);
          }
        });
  }

  private static void hear(Session socket, HttpSession session, String text) {
    if (!"?".equals(text)) {
      @SuppressWarnings("unchecked")
      List<String> list = (List<String>) session.getAttribute("list");
      list.add(text);
    }
    try {
      socket.getBasicRemote().sendText("heard " + text);
    } catch (IOException gone) {
      throw new IllegalStateException(gone);
    }
  }
}
