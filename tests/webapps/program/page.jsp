<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // A page with a session of its own accord, as JSPs have it; runs the program inside its own buffer of 8 KiB.
    out.println("page, new " + session.isNew());
    new program.Run(request, response, out).run(program.ProgramServlet.program(request));
%>
