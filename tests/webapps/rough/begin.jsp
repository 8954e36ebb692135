<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Begins a session whose end gives a signal, and which may end soon; a value of it may give another.
    session.setAttribute("ends", request.getParameter("key"));
    if (request.getParameter("bound") != null) {
        session.setAttribute("bound", new rough.Bound(request.getParameter("key") + "-unbound"));
    }
    if (request.getParameter("seconds") != null) {
        session.setMaxInactiveInterval(Integer.parseInt(request.getParameter("seconds")));
    }
    out.print("begun");
%>
