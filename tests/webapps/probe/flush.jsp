<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute, then flushes the head and a first piece early.
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    out.println("early words");
    out.flush();
    response.flushBuffer();
    out.println("late words");
%>
