<%@ page session="false" trimDirectiveWhitespaces="true" contentType="text/plain; charset=UTF-8" %>
<%--
  Asked by the proxy (health = { path = "/health/" }) and by orchestrators. With the file "leaving" in Tomcat's directory for
  temporary files it says 404, which the proxy takes as a wish to leave: users move with their next request, and what is in flight
  goes on. Whoever stops this Tomcat as planned makes that file some seconds before. One from before Tomcat started says nothing.
--%>
<%
    java.io.File leaving = new java.io.File(System.getProperty("java.io.tmpdir"), "leaving");
    long started = java.lang.management.ManagementFactory.getRuntimeMXBean().getStartTime();
    if (leaving.lastModified() > started) {
        response.sendError(404);
        return;
    }
%>
ok
