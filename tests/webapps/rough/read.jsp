<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%
    // Says what the session holds, and never begins one.
    HttpSession held = request.getSession(false);
    if (request.getParameter("key") != null) {
        rough.Signals.record(request.getParameter("key"));
    }
    out.println(held == null ? "none" : "live");
    if (held != null) {
        for (String name : new java.util.TreeSet<String>(java.util.Collections.list(held.getAttributeNames()))) {
            out.println(name + "=" + held.getAttribute(name));
        }
    }
%>
