<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%
    // Says what it was told of the client, or with "away" sends him to this Tomcat's own address, as an application does
    // that knows of no front.
    if (request.getParameter("away") != null) {
        response.setStatus(302);
        response.setHeader("Location", "http://" + request.getLocalAddr() + ":" + request.getLocalPort()
            + request.getContextPath() + "/get.jsp");
        return;
    }
    out.println("node=" + System.getProperty("shop.node"));
    for (String name : new String[] {"Host", "X-Forwarded-Host", "X-Forwarded-For", "X-Forwarded-Proto"}) {
        out.println(name + "=" + request.getHeader(name));
    }
%>
