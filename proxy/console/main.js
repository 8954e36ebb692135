// The console's page: signs in, listens to the proxy, and paints the view that the address names.
//
// A view is a module with a `title`, a `view` that returns what is shown, and where it needs more than the stream tells an
// `enter` and a `leave` that are called when the address leads to it and away. State that a reader would want to send to somebody stands in the
// address, behind the view's name. No framework: `paint.js` is all that stands between a view and the document.

import { logout, onLogin, whoAmI } from "./api.js";
import * as changes from "./changes.js";
import { closeAll } from "./dialog.js";
import { frame } from "./frame.js";
import { close, listen, live } from "./live.js";
import * as loginView from "./login.js";
import * as overview from "./overview.js";
import { h, paint, paintBy, repaint } from "./paint.js";
import { failure } from "./parts.js";
import { say } from "./said.js";
import * as session from "./session.js";
import * as sessions from "./sessions.js";
import * as tomcats from "./tomcats.js";
import * as upstreams from "./upstreams.js";

/** A proxy that did not say who this is is asked again after this, in milliseconds: as a refused stream is. */
const BEGIN_AGAIN_MS = 2000;

const VIEWS = { overview, upstreams, sessions, session, tomcats, changes };

/** Who is signed in; undefined until the proxy has said. */
let me;
let unreachable = null;
/** Why the reader is still signed in who asked not to be. */
let stays = null;
let place = { name: "overview", parameters: new URLSearchParams() };

function placeNow() {
  const [name, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: Object.hasOwn(VIEWS, name) ? name : "overview", parameters: new URLSearchParams(query) };
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
    paint(main, failure(stays), h("div", { key: place.name, class: "view", "data-view": place.name }, view.view({ me, parameters: place.parameters })));
  } else {
    document.title = "Sign in · Remora console";
    paint(main, me === null ? loginView.view(entered) : h("p", { class: "nothing" }, unreachable ?? "Asking the proxy …"));
  }
}

function entered(who) {
  me = who;
  stays = null;
  listen((change) => say(`${changes.subject(change)} ${change.what}.`.trim()));
  follow();
}

/** Goes where the address says; the reader of a screen hears the new view from its beginning. */
function follow() {
  const token = loginView.takeToken();
  if (token !== null) {
    useToken(token);
    return;
  }
  stays = null;
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

async function useToken(token) {
  if (me) {
    loginView.askInstead(me, token, enteredAnew);
    return;
  }
  me = await loginView.enter(token);
  if (me !== null) {
    entered(me);
  }
  repaint();
}

function enteredAnew(who) {
  over();
  entered(who);
}

async function leave() {
  try {
    await logout();
    over();
  } catch (why) {
    stays = `Not signed out: ${why.message} Whoever has this browser can still act in your name: try again.`;
    repaint();
  }
}

/** Another login was met than the one that is shown, or none. */
function loginChanged(who) {
  if (who === null && me) {
    loginView.sayWhy("The login has ended: sign in again.");
  }
  if (who === null) {
    over();
  } else if (me) {
    me = who;
    repaint();
  }
}

/** The views are over, and so are the questions that stand before them. */
function over() {
  VIEWS[place.name].leave?.();
  closeAll();
  close();
  me = null;
  repaint();
}

/** Asks until the proxy has said who this is; a token of the address waits for that. */
async function begin(token) {
  try {
    me = await whoAmI();
  } catch (why) {
    unreachable = `${why.message} Trying again …`;
    repaint();
    setTimeout(() => begin(token), BEGIN_AGAIN_MS);
    return;
  }
  if (me !== null) {
    entered(me);
  }
  if (token !== null) {
    useToken(token);
  }
  repaint();
}

paintBy(paintAll);
onLogin(loginChanged);
addEventListener("hashchange", follow);
begin(loginView.takeToken());
