<%@ page contentType="text/html; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%@ include file="WEB-INF/parts.jspf" %>
<%
    java.util.Map<String, Integer> cart = copyOfCart(session.getAttribute("cart"));
    int pieces = 0, total = 0;
    StringBuilder lines = new StringBuilder();
    for (java.util.Map.Entry<String, Integer> line : cart.entrySet()) {
        pieces += line.getValue();
        total += line.getValue() * PRODUCTS.get(line.getKey()).cents;
        lines.append(lines.length() == 0 ? "" : ",").append(line.getKey()).append(":").append(line.getValue());
    }
    long age = Math.max(0, (System.currentTimeMillis() - session.getCreationTime()) / 1000);
    String user = safe(request.getRemoteUser());
    String said = (String) session.getAttribute("said");
    if (said != null) {
        session.removeAttribute("said");
    }
%>
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Remora Outfitters</title>
  <link rel="icon" href="icon.svg">
  <link rel="stylesheet" href="shop.css">
</head>
<body data-page="shop" data-user="<%= user %>" data-cart="<%= lines %>" data-age="<%= age %>" data-node="<%= safe(node()) %>">
  <header class="bar">
    <p class="brand"><img src="icon.svg" alt="" width="36" height="36"> Remora Outfitters</p>
    <div class="facts">
      <span class="badge node-<%= safe(node()) %>">served by <%= safe(node()) %></span>
      <span class="fact">session <b><%= age(age) %></b> old</span>
      <span class="fact user">signed in as <b><%= user %></b></span>
      <form method="post" action="logout.jsp"><button class="quiet" type="submit">Sign out</button></form>
    </div>
  </header>
<% if (said != null) { %>
  <p class="notice good" role="status"><%= safe(said) %></p>
<% } %>
  <main class="floor">
    <section class="goods" aria-label="Goods">
<% for (Product product : PRODUCTS.values()) { %>
      <article class="card">
        <div class="picture tint-<%= product.id %>"><%= picture(product) %></div>
        <div class="words">
          <h2><%= product.name %></h2>
          <p><%= product.note %></p>
          <form class="buy" method="post" action="cart.jsp">
            <span class="price"><%= price(product.cents) %></span>
            <input type="hidden" name="item" value="<%= product.id %>">
            <button class="primary" name="do" value="add" type="submit">Add</button>
          </form>
        </div>
      </article>
<% } %>
    </section>
    <aside class="cart panel" aria-label="Cart">
      <h2>Your cart <span class="count"><%= pieces %></span></h2>
<% if (cart.isEmpty()) { %>
      <p class="empty">Nothing in it yet. It will keep, whatever you put in.</p>
<% } else { %>
      <ul>
<%   for (java.util.Map.Entry<String, Integer> line : cart.entrySet()) { Product product = PRODUCTS.get(line.getKey()); %>
        <li>
          <div class="thumb tint-<%= product.id %>"><%= picture(product) %></div>
          <div class="what"><b><%= product.name %></b><span><%= line.getValue() %> × <%= price(product.cents) %></span></div>
          <form method="post" action="cart.jsp">
            <input type="hidden" name="item" value="<%= product.id %>">
            <button class="quiet" name="do" value="take" type="submit" aria-label="One <%= product.name %> less">−</button>
            <button class="quiet" name="do" value="add" type="submit" aria-label="One <%= product.name %> more">+</button>
          </form>
        </li>
<%   } %>
      </ul>
      <p class="total"><span>Total</span><b><%= price(total) %></b></p>
      <form method="post" action="cart.jsp"><button class="primary wide" name="do" value="order" type="submit">Order</button></form>
<% } %>
    </aside>
  </main>
  <footer class="foot">Every change of this cart is on a majority of store disks before you see it.</footer>
</body>
</html>
