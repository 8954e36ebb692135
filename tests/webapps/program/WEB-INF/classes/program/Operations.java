package program;

import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpSession;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The operations that stay in their page. */
final class Operations {
  private static final Map<String, CountDownLatch> MARKS = new ConcurrentHashMap<>();

  private Operations() {}

  /** Does what an operation says; null when there is nothing to say of it. */
  static String perform(Run run, String[] words) throws Exception {
    if (words[0].equals("encoded")) {
      return perform(run, words[1].split(" "));
    }
    if (words[0].endsWith("-long")) {
      words[1] = String.join("", Collections.nCopies(Integer.parseInt(words[1]), "n"));
      words[0] = words[0].replace("-long", "");
    }
    if (words[0].endsWith("-null-name")) {
      return perform(run, new String[] {words[0].replace("-null-name", ""), null, "string:x"});
    }
    String came = session(run, words);
    if (came == null) {
      came = attribute(run, words);
    }
    if (came == null) {
      came = user(run, words);
    }
    return came == null ? answer(run, words) : came;
  }

  private static String session(Run run, String[] words) {
    switch (words[0]) {
      case "open":
        run.session = run.request.getSession();
        return "a session, new " + run.session.isNew();
      case "look":
        run.session = run.request.getSession(false);
        return run.session == null ? "no session" : "a session, new " + run.session.isNew();
      case "id":
        return known(run).getId();
      case "new":
        return String.valueOf(known(run).isNew());
      case "invalidate":
        known(run).invalidate();
        return "ended";
      case "change-id":
        return run.request.changeSessionId();
      case "limit":
        known(run).setMaxInactiveInterval(Integer.parseInt(words[1]));
        return "set";
      case "limit?":
        return String.valueOf(known(run).getMaxInactiveInterval());
      case "times":
        return times(known(run));
      case "requested":
        return requested(run.request);
      case "when":
        run.reactTo = words[1];
        run.reaction = words[2];
        return "asked";
      case "names":
        return names(known(run));
      case "context":
        return String.valueOf(known(run).getServletContext() == run.request.getServletContext());
      default:
        return null;
    }
  }

  private static String attribute(Run run, String[] words) throws Exception {
    switch (words[0]) {
      case "set":
        session(run).setAttribute(words[1], Kinds.make(words[2]));
        return "set";
      case "null":
        session(run).setAttribute(words[1], null);
        return "set";
      case "get":
        return Shown.of(session(run).getAttribute(words[1]));
      case "remove":
        session(run).removeAttribute(words[1]);
        return "removed";
      case "again":
        session(run).setAttribute(words[1], session(run).getAttribute(words[1]));
        return "set";
      case "copy":
        session(run).setAttribute(words[2], session(run).getAttribute(words[1]));
        return "set";
      case "same":
        return String.valueOf(
            session(run).getAttribute(words[1]) == session(run).getAttribute(words[2]));
      case "change":
        Changes.change(session(run).getAttribute(words[1]), words[2]);
        return "changed";
      case "change-part":
        Changes.change(Changes.part(session(run).getAttribute(words[1]), words[2]), words[3]);
        return "changed";
      case "use":
        return Shown.of(((Map<?, ?>) session(run).getAttribute(words[1])).get(words[2]));
      case "fill":
        for (int number = 0; number < Integer.parseInt(words[2]); number++) {
          session(run).setAttribute(words[1] + number, number);
        }
        return "filled";
      case "remove-all":
        for (String name : Collections.list(session(run).getAttributeNames())) {
          session(run).removeAttribute(name);
        }
        return "removed";
      case "count":
        return String.valueOf(Collections.list(session(run).getAttributeNames()).size());
      case "set-elsewhere":
        Thread thread = new Thread(() -> session(run).setAttribute(words[1], words[2]));
        thread.start();
        thread.join();
        return "set";
      default:
        return null;
    }
  }

  private static String user(Run run, String[] words) throws Exception {
    HttpServletRequest request = run.request;
    switch (words[0]) {
      case "user":
        return request.getRemoteUser() + " by " + request.getAuthType() + ", customer "
            + request.isUserInRole("customer");
      case "principal":
        return request.getUserPrincipal().getName() + " as "
            + request.getUserPrincipal().getClass().getSimpleName();
      case "login":
        request.login(words[1], words[2]);
        return "in";
      case "logout":
        request.logout();
        return "out";
      case "authenticate":
        return String.valueOf(request.authenticate(run.response));
      default:
        return null;
    }
  }

  private static String answer(Run run, String[] words) throws Exception {
    switch (words[0]) {
      case "write":
        run.say(String.join("", Collections.nCopies(Integer.parseInt(words[1]), "w")));
        run.end();
        return null;
      case "flush":
        run.flush();
        return null;
      case "redirect":
        run.response.sendRedirect(words[1]);
        return "redirected";
      case "error":
        run.response.sendError(Integer.parseInt(words[1]));
        return "sent";
      case "status":
        run.response.setStatus(Integer.parseInt(words[1]));
        return "set";
      case "header":
        run.response.setHeader(words[1], words[2]);
        return "set";
      case "cookie":
        run.response.addCookie(new Cookie(words[1], words[2]));
        return "set";
      case "reset":
        run.response.reset();
        return "reset";
      case "committed":
        return String.valueOf(run.response.isCommitted());
      case "request":
        return run.request.getMethod() + ", k " + run.request.getParameter("k")
            + ", body of type " + run.request.getContentType();
      case "encode":
        return run.response.encodeURL(words[1]);
      case "remains":
        run.say(Events.remains(run.scenario));
        return null;
      case "reached":
        mark(run, words[1]).countDown();
        return "so";
      case "await":
        return String.valueOf(mark(run, words[1]).await(20, TimeUnit.SECONDS));
      default:
        throw new Misspelled("no operation is called " + words[0]);
    }
  }

  /** The session at hand, or the one that the request has; none is begun. */
  private static HttpSession known(Run run) {
    if (run.session == null) {
      run.session = run.request.getSession(false);
    }
    return run.session;
  }

  private static HttpSession session(Run run) {
    if (run.session == null) {
      run.session = run.request.getSession();
    }
    return run.session;
  }

  private static CountDownLatch mark(Run run, String name) {
    return MARKS.computeIfAbsent(run.scenario + ' ' + name, absent -> new CountDownLatch(1));
  }

  /** How the session's times stand to those that it noted the last time, without saying them. */
  private static String times(HttpSession session) {
    Noted noted = (Noted) session.getAttribute("times");
    long created = session.getCreationTime();
    long accessed = session.getLastAccessedTime();
    session.setAttribute("times", new Noted(created, accessed));
    long now = System.currentTimeMillis();
    boolean sane = created <= accessed && accessed <= now && now - created < 600_000;
    if (noted == null) {
      return "first look, sane " + sane;
    }
    return "created alike " + (noted.created() == created) + ", accessed not before "
        + (noted.accessed() <= accessed) + ", sane " + sane;
  }

  private static String requested(HttpServletRequest request) {
    return "id " + (request.getRequestedSessionId() != null)
        + ", valid " + request.isRequestedSessionIdValid()
        + ", cookie " + request.isRequestedSessionIdFromCookie()
        + ", url " + request.isRequestedSessionIdFromURL();
  }

  static String names(HttpSession session) {
    List<String> names = new ArrayList<>();
    for (String name : Collections.list(session.getAttributeNames())) {
      names.add(Shown.printable(name));
    }
    return names.toString();
  }
}
