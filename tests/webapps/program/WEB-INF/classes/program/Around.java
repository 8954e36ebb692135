package program;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.FilterConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;

/** Sets an attribute before and one after the page, as filters of frameworks do. */
public final class Around implements Filter {

  @Override
  public void init(FilterConfig configuration) {}

  @Override
  public void destroy() {}

  @Override
  public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
      throws IOException, ServletException {
    HttpServletRequest http = (HttpServletRequest) request;
    Events.belongs(http.getSession(), http.getParameter("scenario"));
    http.getSession().setAttribute("before", "by the filter");
    chain.doFilter(request, response);
    http.getSession().setAttribute("after", "by the filter");
  }
}
