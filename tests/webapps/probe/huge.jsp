<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets one attribute of so many characters.
    char[] text = new char[Integer.parseInt(request.getParameter("size"))];
    for (int i = 0; i < text.length; i++) {
        text[i] = (char) ('a' + (i * 31 + i / 97) % 26);
    }
    session.setAttribute(request.getParameter("name"), new String(text));
    out.print("set");
%>
