<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute and redirects: the head leaves long before the page ends.
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    response.sendRedirect("get.jsp");
%>
