<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%@ page import="org.apache.catalina.connector.Response, org.apache.catalina.connector.ResponseFacade" %>
<%@ page import="org.apache.coyote.ActionCode" %>
<%@ include file="WEB-INF/signals.jspf" %>
<%
    // Records that it ran, and closes the connection without an answer. No application can ask for that, but bugs of
    // connectors and native libraries do it; so it goes behind Tomcat's facade.
    record(request.getParameter("key"));
    java.lang.reflect.Field hidden = ResponseFacade.class.getDeclaredField("response");
    hidden.setAccessible(true);
    ((Response) hidden.get(response)).getCoyoteResponse().action(ActionCode.CLOSE_NOW, null);
%>
