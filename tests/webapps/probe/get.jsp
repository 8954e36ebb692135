<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%
    // Says what the session holds, and never begins one.
    HttpSession held = request.getSession(false);
    out.println("node=" + System.getProperty("shop.node"));
    out.println("session=" + (held == null ? "none" : "live"));
    if (held != null) {
        out.println("new=" + held.isNew());
        java.util.TreeSet<String> names = new java.util.TreeSet<String>(java.util.Collections.list(held.getAttributeNames()));
        for (String name : names) {
            Object value = held.getAttribute(name);
            String text = String.valueOf(value);
            out.println("attribute." + name + "=" + (text.length() > 200 ? text.length() + " characters" : text));
        }
    }
%>
