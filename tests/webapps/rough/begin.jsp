<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Begins a session whose end gives a signal, and which may end soon.
    session.setAttribute("ends", request.getParameter("key"));
    if (request.getParameter("seconds") != null) {
        session.setMaxInactiveInterval(Integer.parseInt(request.getParameter("seconds")));
    }
    out.print("begun");
%>
