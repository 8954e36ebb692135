<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%@ include file="WEB-INF/signals.jspf" %>
<%
    // Sets one attribute if asked to, records that it runs, and ends when the claim says so.
    if (request.getParameter("name") != null) {
        session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    }
    record(request.getParameter("key"));
    awaitGo(request.getParameter("key"));
    out.print("slow page of " + System.getProperty("shop.node"));
%>
