<%@ page contentType="text/html; charset=UTF-8" pageEncoding="UTF-8" trimDirectiveWhitespaces="true" %>
<%
    // The user's list, to which both the button and the socket add, and a script that opens the socket again whenever it
    // closes, and says how often that was, how many questions were answered, and how much of what she said was heard.
    java.util.List<?> list = (java.util.List<?>) session.getAttribute("list");
    if (list == null) {
        list = new java.util.ArrayList<String>();
        session.setAttribute("list", list);
    }
    String node = System.getProperty("shop.node");
%>
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Desk</title>
  <link rel="icon" href="data:,">
  <style>body { font: 18px/1.6 sans-serif; margin: 3em; } b { color: #0f5c4a; } button { font: inherit; padding: .2em 1em; }</style>
</head>
<body data-page="desk" data-user="<%= request.getRemoteUser() %>" data-node="<%= node %>" data-list="<%= list %>" data-opened="0" data-heard="0" data-said="0">
  <h1>Desk of <b><%= request.getRemoteUser() %></b></h1>
  <p>Served by <b><%= node %></b>; the list is <b><%= list %></b>.</p>
  <p>The socket was opened <b id="opened">0</b> times on this page and has heard <b id="heard">0</b> answers; said: <b id="said">0</b>.</p>
  <form method="post" action="note.jsp"><button id="note" type="submit">Note</button></form>
  <p><button id="say" type="button">Say pearl</button></p>
  <script>
    let socket;
    function count(what) {
      document.getElementById(what).textContent = ++document.body.dataset[what];
    }
    function open() {
      socket = new WebSocket(location.href.replace("http", "ws") + "socket");
      socket.onopen = () => { count("opened"); socket.send("?"); };
      socket.onmessage = (message) => {
        if (message.data === "heard ?") {
          count("heard");
          setTimeout(ask, 100);
        } else {
          count("said");
        }
      };
      socket.onclose = () => setTimeout(open, 100);
    }
    function ask() {
      if (socket.readyState === WebSocket.OPEN) socket.send("?");
    }
    document.getElementById("say").onclick = () => socket.send("pearl");
    open();
  </script>
</body>
</html>
