<%@ page contentType="text/html; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%@ include file="parts.jspf" %>
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Sign in · Remora Outfitters</title>
  <link rel="icon" href="icon.svg">
  <link rel="stylesheet" href="shop.css">
</head>
<body class="entrance" data-node="<%= safe(node()) %>" data-page="login">
  <main class="gate">
    <section class="welcome">
      <p class="brand"><img src="icon.svg" alt="" width="40" height="40"> Remora Outfitters</p>
      <h1>Goods for people who go&nbsp;under.</h1>
      <p>Your cart swims with you, even when the server you shop at does not come up again.</p>
    </section>
    <form class="panel" method="post" action="j_security_check">
      <h2>Sign in</h2>
<% if ("true".equals(request.getParameter("failed"))) { %>
      <p class="notice bad" role="alert">That name and password do not go together.</p>
<% } %>
      <label for="name">Name</label>
      <input id="name" name="j_username" autocomplete="username" autofocus required>
      <label for="password">Password</label>
      <input id="password" name="j_password" type="password" autocomplete="current-password" required>
      <button class="primary" type="submit">Sign in</button>
      <p class="hint">Try <code>ada</code> with <code>lovelace</code>, or <code>grace</code> with <code>hopper</code>.</p>
      <p class="served"><span class="badge node-<%= safe(node()) %>">served by <%= safe(node()) %></span></p>
    </form>
  </main>
</body>
</html>
