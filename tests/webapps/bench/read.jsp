<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%
    // Reads one attribute, and never begins a session.
    HttpSession held = request.getSession(false);
    out.print(held == null ? "none" : held.getAttribute(request.getParameter("name")));
%>
