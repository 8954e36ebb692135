<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%
    // The login form, as far as a scenario needs to see it.
    out.println("please sign in" + (request.getParameter("failed") == null ? "" : ", that was wrong"));
%>
