<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute, and says before that it is about to.
    if (request.getParameter("key") != null) {
        rough.Signals.record(request.getParameter("key"));
    }
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    out.print("set");
%>
