<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Removes one attribute.
    session.removeAttribute(request.getParameter("name"));
    out.print("removed");
%>
