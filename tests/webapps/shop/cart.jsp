<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%@ include file="WEB-INF/parts.jspf" %>
<%
    // Changes the cart and sends the browser back to the shop: the redirect leaves only after the change is stored.
    java.util.LinkedHashMap<String, Integer> cart = copyOfCart(session.getAttribute("cart"));
    String action = request.getParameter("do");
    String item = request.getParameter("item");
    if (!"POST".equals(request.getMethod())) {
        response.sendRedirect("./");
        return;
    }
    if ("order".equals(action)) {
        Integer orders = (Integer) session.getAttribute("orders");
        int number = orders == null ? 1 : orders + 1;
        session.setAttribute("orders", number);
        session.removeAttribute("cart");
        session.setAttribute("said", "Thank you. Order " + number + " leaves with the next tide.");
    } else if (PRODUCTS.containsKey(item)) {
        int had = cart.containsKey(item) ? cart.get(item) : 0;
        int has = "take".equals(action) ? had - 1 : had + 1;
        if (has > 0) {
            cart.put(item, has);
        } else {
            cart.remove(item);
        }
        session.setAttribute("cart", cart);
    }
    response.sendRedirect("./");
%>
