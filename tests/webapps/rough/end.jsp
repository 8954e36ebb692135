<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Ends the session.
    session.invalidate();
    out.print("ended");
%>
