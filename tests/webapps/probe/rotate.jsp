<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Gives the session another id.
    request.changeSessionId();
    out.print("rotated");
%>
