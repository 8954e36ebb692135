package com.example;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.startup.Tomcat;
import remora.tomcat.RemoraManager;

/**
 * A counter for each visitor in an embedded Tomcat, whose sessions outlive it: {@code java -jar
 * remora-embedded-example-0.1.0.jar PORT ROUTE STORE}, twice, with two ports and two routes.
 */
public final class Embedded {

  private Embedded() {}

  /**
   * Serves until it is stopped.
   *
   * @param arguments a port, this Tomcat's route, and the client addresses of the store
   * @throws Exception when it does not start
   */
  public static void main(String[] arguments) throws Exception {
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(Files.createTempDirectory("embedded").toString());
    tomcat.setPort(Integer.parseInt(arguments[0]));
    tomcat.getConnector();
    tomcat.getEngine().setJvmRoute(arguments[1]);

    Context context = tomcat.addContext("", null);
    RemoraManager manager = new RemoraManager();
    manager.setStore(arguments[2]);
    context.setManager(manager);

    Tomcat.addServlet(context, "counter", new Counter()).addMapping("/");
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(tomcat)));
    tomcat.start();
    if (!context.getState().isAvailable()) {
      System.err.println("the session manager did not start; the log says why");
      System.exit(1); // stops Tomcat by the hook; its threads would answer 404 for ever
    }
    tomcat.getServer().await();
  }

  private static void stop(Tomcat tomcat) {
    try {
      tomcat.stop();
    } catch (LifecycleException stopsAnyway) {
      System.err.println("not stopped in order: " + stopsAnyway);
    }
  }

  /** Counts a visitor's requests. */
  private static final class Counter extends HttpServlet {

    private static final long serialVersionUID = 1L;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      Integer before = (Integer) request.getSession().getAttribute("count");
      int count = before == null ? 1 : before + 1;
      request.getSession().setAttribute("count", count);
      response.setContentType("text/plain");
      response.getWriter().println("count=" + count);
    }
  }
}
