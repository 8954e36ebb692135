<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%@ include file="WEB-INF/signals.jspf" %>
<%
    // Records that it runs, and keeps its thread for as long as the claim says, as a page that asks a slow database.
    record(request.getParameter("key"));
    Thread.sleep(Long.parseLong(request.getParameter("millis")));
    out.print("worked by " + System.getProperty("shop.node"));
%>
