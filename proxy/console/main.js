// The console's page: signs in, listens to the proxy, and paints the view that the address names.
//
// A view is a module with a `title`, a `view` that returns what is shown, and where it needs more than the stream tells an
// `enter` and a `leave` that are called when the address leads to it and away. State that a reader would want to send to somebody stands in the
// address, behind the view's name. No framework: `paint.js` is all that stands between a view and the document.

import { logout, onEnded, whoAmI } from "./api.js";
import * as changes from "./changes.js";
import { frame } from "./frame.js";
import { close, listen, live } from "./live.js";
import * as loginView from "./login.js";
import * as overview from "./overview.js";
import { h, paint, paintBy, repaint } from "./paint.js";
import { say } from "./said.js";
import * as session from "./session.js";
import * as sessions from "./sessions.js";
import * as tomcats from "./tomcats.js";
import * as upstreams from "./upstreams.js";

const VIEWS = { overview, upstreams, sessions, session, tomcats, changes };

/** Who is signed in; undefined until the proxy has said. */
let me;
let unreachable = null;
let place = { name: "overview", parameters: new URLSearchParams() };

function placeNow() {
  const [name, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: name in VIEWS ? name : "overview", parameters: new URLSearchParams(query) };
}

function paintAll() {
  const top = document.getElementById("top");
  const main = document.getElementById("main");
  paint(top, frame({ me, place: place.name, leave }));
  if (me) {
    if (live.picture !== null) {
      upstreams.settle(live.picture);
    }
    const view = VIEWS[place.name];
    document.title = `${view.title} · Remora console`;
    paint(main, h("div", { key: place.name, class: "view", "data-view": place.name }, view.view({ me, parameters: place.parameters })));
  } else {
    document.title = "Sign in · Remora console";
    paint(main, me === null ? loginView.view(entered) : h("p", { class: "nothing" }, unreachable ?? "Asking the proxy …"));
  }
}

function entered(who) {
  me = who;
  listen((change) => say(`${changes.subject(change)} ${change.what}.`.trim()));
  follow();
}

/** Goes where the address says; the reader of a screen hears the new view from its beginning. */
function follow() {
  const token = loginView.takeToken();
  if (token !== null) {
    signIn(token);
    return;
  }
  const before = place.name;
  VIEWS[before].leave?.();
  place = placeNow();
  if (me) {
    VIEWS[place.name].enter?.({ me, parameters: place.parameters });
  }
  paintAll();
  if (me && before !== place.name) {
    document.getElementById("main").focus();
    scrollTo(0, 0);
  }
}

async function signIn(token) {
  const who = await loginView.enter(token);
  me = who ?? me ?? null;
  if (who !== null) {
    close();
    entered(who);
  }
  repaint();
}

async function leave() {
  await logout();
  over();
}

function loginEnded() {
  if (me) {
    loginView.sayWhy("The login has ended: sign in again.");
  }
  over();
}

function over() {
  VIEWS[place.name].leave?.();
  close();
  me = null;
  repaint();
}

/** Asks until the proxy has said who this is. */
async function begin() {
  try {
    const who = await whoAmI();
    unreachable = null;
    if (who === null) {
      me = null;
      repaint();
    } else {
      entered(who);
    }
  } catch (why) {
    unreachable = `${why.message} Trying again …`;
    repaint();
    setTimeout(begin, 2000);
  }
}

paintBy(paintAll);
onEnded(loginEnded);
addEventListener("hashchange", follow);
const token = loginView.takeToken();
if (token === null) {
  begin();
} else {
  me = null;
  signIn(token);
}
