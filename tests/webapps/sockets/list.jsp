<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // The list of the session, made if there is none; with "idle" the session ends after so many seconds without a request.
    Object list = session.getAttribute("list");
    if (list == null) {
        list = new java.util.ArrayList<String>();
        session.setAttribute("list", list);
    }
    if (request.getParameter("idle") != null) {
        session.setMaxInactiveInterval(Integer.parseInt(request.getParameter("idle")));
    }
    out.print(list);
%>
