// The page of one session: whose it is, who held it while the proxy watched, what it holds by size, and what is not stored.
//
// No value is shown, and no session id: keys are hashes. The store is asked again every other second while the page is open, which
// reads one record, and not while nobody sees the page; what was last known stays when the session has ended.

import { get } from "./api.js";
import { askKill } from "./kill.js";
import { live, proxyNow } from "./live.js";
import { h, repaint } from "./paint.js";
import { facts, failure, nothing, panel, table, time } from "./parts.js";
import { ago, bytes, clock, count, many, moment, orDash, short, span } from "./words.js";

export const title = "Session";

/** Between an answer and the next question, in milliseconds: a move is seen as it happens, and a page costs next to nothing. */
const AGAIN_AFTER_MS = 2000;

let shown = { asked: null, session: null, refused: null };
let timer = null;

const HAPPENED = {
  created: "It began",
  moved: "It moved",
  released: "Nobody holds it any more",
  renamed: "It got another key",
  labelled: "Its labels changed",
  logout: "Its user signed out, or the application ended it",
  operator: "An operator ended it",
  limit: "It ended for a newer one: its user may have no more",
  expired: "It expired",
};

/** Asks the store, and again until the reader leaves or the session has ended. */
export async function enter({ parameters }) {
  clearTimeout(timer);
  const asked = parameters.toString();
  if (shown.asked !== asked) {
    shown = { asked, session: null, refused: null };
  }
  const query = { application: parameters.get("application"), key: parameters.get("key") };
  const [session, refused] = await get("session", query).then((told) => [told, null], (why) => [null, why]);
  if (shown.asked !== asked) {
    return;
  }
  shown = { asked, session: session ?? shown.session, refused: refused?.message ?? null };
  repaint();
  if (refused?.status !== 404) {
    timer = setTimeout(() => askAgain(parameters), AGAIN_AFTER_MS);
  }
}

function askAgain(parameters) {
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => shown.asked === parameters.toString() && enter({ parameters }), { once: true });
  } else {
    enter({ parameters });
  }
}

/** Asks no more. */
export function leave() {
  clearTimeout(timer);
  shown = { asked: null, session: null, refused: null };
}

export function view({ me, parameters }) {
  const key = parameters.get("key") ?? "";
  const session = shown.session;
  const again = () => enter({ parameters });
  return [
    h("p", { class: "back" }, h("a", { href: "#/sessions" }, "Sessions")),
    h("div", { class: "line" },
      h("h1", null, "Session ", h("code", null, short(key))),
      h("div", { class: "buttons" },
        session && shown.refused === null && me.rights === "operate" && h("button", { type: "button", class: "danger", onclick: () =>
          askKill(session, again) }, "End this session …"))),
    failure(shown.refused),
    session === null ? shown.refused === null && nothing("Asking the store …") : h("div", { class: "columns flipped" },
      h("div", null, whose(session), history(session)),
      h("div", null, attributes(session), left(session))),
  ];
}

function whose(session) {
  const never = session.expires_in_seconds === null;
  return panel({ id: "whose", title: "Whose" }, facts([
    ["User", orDash(session.principal)],
    ["Signed in by", orDash(session.auth)],
    ["Roles", orDash(session.roles.join(", "))],
    ["Labels", session.labels.length === 0 ? orDash(null) : session.labels.map(([name, value]) =>
      h("span", { class: "tag", key: `${name} ${value}` }, `${name}: ${value}`)), "wide"],
    ["Application", h("code", null, session.application)],
    ["Owner", orDash(session.owner)],
    ["Began", time(session.created_ms, moment(session.created_ms))],
    ["Last used", time(session.last_access_ms, ago(session.last_access_ms, proxyNow()))],
    ["Expires", never ? "never" : `in ${span(session.expires_in_seconds)}`],
    ["Version", count(session.version)],
    ["Owned since version", count(session.epoch)],
    ["Key", h("code", { class: "key" }, session.key), "wide"],
  ]));
}

function history(session) {
  return panel({ id: "history", title: "Owners", aside: h("span", { class: "quiet" }, "while the console watched") },
    session.history.length === 0
      ? nothing("Nothing has happened to it while the console watched.")
      : h("ol", { class: "history" }, [...session.history].reverse().map((event, at) =>
        h("li", { key: `${event.at} ${event.kind} ${at}` }, time(event.at, clock(event.at)), h("span", null, happened(event))))));
}

function happened(event) {
  if (event.kind === "moved") {
    return `It moved from ${orDash(event.owner_before)} to ${orDash(event.owner)}`;
  }
  const what = HAPPENED[event.kind] ?? event.kind;
  return event.kind === "created" && event.owner ? `${what} at ${event.owner}` : what;
}

function attributes(session) {
  const largest = [...session.attributes].sort((one, other) => other.bytes - one.bytes);
  const most = Math.max(1, ...largest.map((attribute) => attribute.bytes));
  return panel({ id: "attributes", title: "Attributes",
    aside: h("span", { class: "quiet" }, `${many(largest.length, "attribute")}, ${bytes(session.bytes)}`) }, table({
    caption: "Attributes by size",
    empty: "It holds no attribute.",
    rows: largest,
    key: (attribute) => attribute.name,
    columns: [
      { label: "Name", header: true, kind: "long", cell: (attribute) => h("code", null, attribute.name) },
      { label: "Type", cell: (attribute) => orDash(attribute.type) },
      { label: "Size", kind: "number", cell: (attribute) => bytes(attribute.bytes) },
      { label: "Of the largest", kind: "drawn", cell: (attribute) => h("svg", { class: "level", viewBox: "0 0 100 8",
        preserveAspectRatio: "none", "aria-hidden": "true" }, h("rect", { class: "part", width: ((attribute.bytes / most) * 100).toFixed(1), height: 8 })) },
      { label: "Changed by version", kind: "number", cell: (attribute) => count(attribute.version) },
    ],
  }));
}

function left(session) {
  return panel({ id: "left", title: "Not stored" }, session.not_stored === null ? classes(session) : table({
    caption: "Values that stay on their Tomcat and are lost with it",
    empty: "Everything is stored: a failover loses nothing of it.",
    rows: session.not_stored,
    key: (value) => value.name,
    columns: [
      { label: "Name", header: true, kind: "long", cell: (value) => h("code", null, value.name) },
      { label: "Class", kind: "long", cell: (value) => h("code", null, orDash(value.class)) },
    ],
  }));
}

// The store does not say which session has them; the owner says which classes they are of, for the whole application.
function classes(session) {
  const owner = live.picture?.store?.tomcats?.find((tomcat) => tomcat.node === session.owner);
  const fare = owner?.fares.find((one) => one.application === session.application);
  if (fare === undefined) {
    return nothing("Its Tomcat has not said what it could not store.");
  }
  if (fare.local === 0) {
    return nothing(`${session.owner} has stored every value of this application since it started.`);
  }
  return [
    h("p", null, `${many(fare.local, "value")} of this application could not be stored and stayed on ${session.owner}. `,
      "This session may hold some; they are lost with that Tomcat. Their classes:"),
    h("ul", { class: "plain" }, fare.classes.map((name) => h("li", { key: name }, h("code", null, name)))),
  ];
}
