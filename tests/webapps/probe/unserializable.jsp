<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Sets an attribute that no serializer can write.
    session.setAttribute(request.getParameter("name"), new Object() {
        @Override
        public String toString() {
            return "a thing of this moment";
        }
    });
    out.print("set");
%>
