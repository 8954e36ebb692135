<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Adds to the list and sends the browser back to the desk.
    java.util.List<String> list = new java.util.ArrayList<String>();
    for (Object entry : (java.util.List<?>) session.getAttribute("list")) {
        list.add((String) entry);
    }
    list.add("note");
    session.setAttribute("list", list);
    response.sendRedirect("./");
%>
