<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%@ include file="WEB-INF/signals.jspf" %>
<%
    // Records that it ran, so that "executed twice" can be counted.
    record(request.getParameter("key"));
    out.print("counted by " + System.getProperty("shop.node"));
%>
