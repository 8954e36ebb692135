<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Says who is signed in, and puts something of theirs into the session.
    session.setAttribute("note", request.getParameter("note"));
    out.println("user=" + request.getRemoteUser());
    out.print("next=" + response.encodeURL("who.jsp"));
%>
