<%@ page contentType="text/html; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Sign in</title><link rel="icon" href="data:,"></head>
<body data-page="login">
  <form method="post" action="j_security_check">
    <input name="j_username" aria-label="Name" autofocus>
    <input name="j_password" aria-label="Password" type="password">
    <button type="submit">Sign in</button>
  </form>
</body>
</html>
