<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Begins a session with a value of each kind that has a monitor to hold.
    rough.Monitors.fill(session);
    out.print("filled");
%>
