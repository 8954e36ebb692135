<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute and fails: by an exception, or by sendError where 'status' is given. An error page answers.
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    if (request.getParameter("status") != null) {
        response.sendError(Integer.parseInt(request.getParameter("status")));
        return;
    }
    if (session != null) {
        throw new IllegalStateException("asked to fail");
    }
%>
