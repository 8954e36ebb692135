<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // Says what the user's cart holds. A POST puts one more into it, and leaves a mark outside of any session that it ran, as a
    // purchase does that reaches the warehouse.
    Integer held = (Integer) session.getAttribute("cart");
    int cart = held == null ? 0 : held;
    if ("POST".equals(request.getMethod())) {
        String key = request.getParameter("key");
        synchronized (application) {
            java.io.File marks = new java.io.File(System.getProperty("probe.dir"), "clicks-" + System.getProperty("shop.node"));
            java.io.FileWriter file = new java.io.FileWriter(marks, true);
            file.write(key + "\n");
            file.close();
        }
        cart++;
        session.setAttribute("cart", cart);
    }
    // As long as a page that asks a database.
    Thread.sleep(20);
    out.print("clicks cart=" + cart + " node=" + System.getProperty("shop.node") + " user=" + request.getRemoteUser());
%>
