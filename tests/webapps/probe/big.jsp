<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute, then writes more than any buffer holds.
    session.setAttribute(request.getParameter("name"), request.getParameter("value"));
    for (int line = 0; line < 4000; line++) {
        out.println("a line of a body that does not fit into a buffer");
    }
%>
