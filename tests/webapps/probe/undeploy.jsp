<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" session="false" %>
<%@ page import="java.lang.management.ManagementFactory, javax.management.ObjectName" %>
<%
    // Lets Tomcat look whether the file of an application is still there, which it would do by itself with autoDeploy.
    ObjectName deployer = new ObjectName("Catalina:type=Deployer,host=localhost");
    ManagementFactory.getPlatformMBeanServer().invoke(deployer, "check",
            new Object[] {"/" + request.getParameter("application")}, new String[] {"java.lang.String"});
    out.print("looked");
%>
