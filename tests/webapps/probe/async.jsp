<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute on another thread after the page has returned, writes from there and completes.
    final AsyncContext later = request.startAsync();
    final HttpSession held = session;
    final String name = request.getParameter("name");
    final String value = request.getParameter("value");
    new Thread(new Runnable() {
        @Override
        public void run() {
            try {
                held.setAttribute(name, value);
                later.getResponse().getWriter().print("set asynchronously");
            } catch (java.io.IOException gone) {
                // The client went away; complete() below ends the request all the same.
            } finally {
                later.complete();
            }
        }
    }).start();
%>
