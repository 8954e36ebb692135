<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Takes a monitor, says so, waits for its signal, and writes 30 KB before it lets go: the head leaves meanwhile.
    String key = request.getParameter("key");
    Object monitor = rough.Monitors.of(request.getParameter("kind"), request);
    rough.Signals.record(key + "-asked");
    synchronized (monitor) {
        rough.Monitors.change(session.getAttribute(request.getParameter("kind")), key);
        rough.Signals.record(key);
        rough.Signals.awaitGo(request.getParameter("go"));
        Thread.sleep(50); // as a page that asks a database: whoever else was asked meanwhile is in the middle of it
        for (int line = 0; line < 1000; line++) {
            out.println("a line of thirty bytes, or so");
        }
    }
    out.print("let go");
%>
