package sockets;

import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;
import jakarta.websocket.DeploymentException;
import jakarta.websocket.HandshakeResponse;
import jakarta.websocket.server.HandshakeRequest;
import jakarta.websocket.server.ServerContainer;
import jakarta.websocket.server.ServerEndpointConfig;

/** Puts the endpoint in its two places, and hands it the HTTP session as applications do. */
public final class Deploys implements ServletContextListener {

  /** Under which user property an endpoint finds the HTTP session. */
  static final String SESSION = "session";

  /** For anybody with a session, and for whoever has signed in. */
  private static final String[] PLACES = {"/socket", "/desk/socket"};

  @Override
  public void contextInitialized(ServletContextEvent event) {
    ServerContainer container =
        (ServerContainer)
            event.getServletContext().getAttribute(ServerContainer.class.getName());
    try {
      for (String place : PLACES) {
        container.addEndpoint(
            ServerEndpointConfig.Builder.create(Listing.class, place)
                .configurator(new WithSession())
                .build());
      }
    } catch (DeploymentException broken) {
      throw new IllegalStateException(broken);
    }
  }

  private static final class WithSession extends ServerEndpointConfig.Configurator {
    @Override
    public void modifyHandshake(
        ServerEndpointConfig config, HandshakeRequest request, HandshakeResponse response) {
      if (request.getHttpSession() != null) {
        config.getUserProperties().put(SESSION, request.getHttpSession());
      }
    }
  }
}
