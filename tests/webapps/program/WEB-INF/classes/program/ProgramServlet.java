package program;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

/** Runs the program that a request brings, or what a page before it left to do. */
public final class ProgramServlet extends HttpServlet {
  private static final long serialVersionUID = 1L;

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws ServletException, IOException {
    response.setContentType("text/plain;charset=UTF-8");
    try {
      new Run(request, response, response.getWriter()).run(program(request));
    } catch (ServletException | IOException | RuntimeException failure) {
      throw failure;
    } catch (Exception failure) {
      throw new ServletException(failure);
    }
  }

  /**
   * What there is to do.
   *
   * @param request the request
   * @return what a page before this one left, else what the client sent
   */
  public static String program(HttpServletRequest request) {
    Object rest = request.getAttribute("program.rest");
    request.removeAttribute("program.rest");
    return rest == null ? request.getParameter("p") : rest.toString();
  }
}
