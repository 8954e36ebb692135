<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute.
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    out.print("set");
%>
