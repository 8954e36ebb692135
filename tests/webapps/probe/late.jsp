<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sends its whole answer, of the length that the head names, and counts the click a moment later.
    String words = System.getProperty("shop.node");
    response.setContentLength(words.length());
    out.print(words);
    out.flush();
    response.flushBuffer();
    Thread.sleep(Long.parseLong(request.getParameter("millis")));
    // Two clicks on one Tomcat may overlap: that none of them is lost there is up to the page.
    synchronized (application) {
        Integer clicks = (Integer) session.getAttribute("n");
        session.setAttribute("n", clicks == null ? 1 : clicks + 1);
    }
%>
