<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" isErrorPage="true" %>
<%
    // The error page of the application; it may run a program of its own.
    out.println("the error page of the application");
    if (request.getParameter("oops") != null) {
        new program.Run(request, response, out).run(request.getParameter("oops"));
    }
%>
