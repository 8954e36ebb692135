<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Where FORM login sends whoever is not logged in, or not any more.
    out.print("login");
%>
