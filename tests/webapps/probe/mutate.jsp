<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Adds to a list in place: setAttribute is called only for the first piece.
    @SuppressWarnings("unchecked")
    java.util.ArrayList<String> list = (java.util.ArrayList<String>) session.getAttribute("list");
    if (list == null) {
        list = new java.util.ArrayList<String>();
        session.setAttribute("list", list);
    }
    list.add(request.getParameter("value"));
    out.print(list);
%>
