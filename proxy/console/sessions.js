// The view that finds sessions: by user, label, application, owner or the first digits of a key; page by page.
//
// What is searched stands in the address, so a search can be kept or sent, and the browser's own way back works. The store is
// asked when the address changes and when the reader asks again, never by itself: a list that moves cannot be read.

import { get } from "./api.js";
import { askKillMatching } from "./kill.js";
import { live, proxyNow } from "./live.js";
import { h, repaint } from "./paint.js";
import { failure, nothing, table, time } from "./parts.js";
import { about, ago, bytes, clock, many, orDash, short } from "./words.js";

export const title = "Sessions";

/** Sessions on a page: more than a screen, and quick to fetch. */
const PAGE = 50;

const FIELDS = [
  ["user", "User", "ada"],
  ["label", "Label", "name:value"],
  ["application", "Application", "localhost/shop"],
  ["owner", "Owner", "n1"],
  ["key", "Key begins with", "3fa9"],
];

/** Of the last search: what was asked, and what came. */
let found = { asked: null, answer: null, refused: null, at: 0 };

/** Asks the store. */
export async function enter({ parameters }) {
  const asked = parameters.toString();
  found = { asked, answer: null, refused: null, at: proxyNow() };
  repaint();
  const query = { ...Object.fromEntries(parameters), limit: PAGE };
  const [answer, refused] = await get("sessions", query).then((told) => [told, null], (why) => [null, why.message]);
  if (found.asked === asked) {
    found = { asked, answer, refused, at: proxyNow() };
    repaint();
  }
}

export function view({ me, parameters }) {
  if (live.picture !== null && live.picture.store === null) {
    return [h("h1", null, title), nothing("This proxy’s file names no store for the console, so it knows no session.")];
  }
  return [h("h1", null, title), search(parameters), failure(found.refused), results(me, parameters)];
}

function search(parameters) {
  const submit = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value !== "");
    const next = new URLSearchParams(given).toString();
    if (next === parameters.toString()) {
      enter({ parameters });
    } else {
      location.hash = `#/sessions?${next}`;
    }
  };
  return h("form", { class: "filter", role: "search", "aria-label": "Sessions", onsubmit: submit },
    FIELDS.map(([name, label, example]) => h("label", { key: name }, h("span", null, label),
      h("input", { name, value: parameters.get(name) ?? "", placeholder: example, autocomplete: "off", spellcheck: "false",
        list: name === "owner" || name === "application" ? `known-${name}` : false }))),
    known("owner", (live.picture?.store?.tomcats ?? []).map((tomcat) => tomcat.node)),
    known("application", (live.picture?.store?.tomcats ?? []).flatMap((tomcat) => tomcat.applications)),
    h("div", { class: "buttons" },
      h("button", { type: "submit", class: "chief" }, "Search"),
      h("a", { class: "button", href: "#/sessions" }, "Clear")));
}

function known(name, values) {
  return h("datalist", { id: `known-${name}`, key: `known-${name}` },
    [...new Set(values)].sort().map((value) => h("option", { value, key: value })));
}

function results(me, parameters) {
  const answer = found.answer;
  if (answer === null) {
    return found.refused === null && nothing("Asking the store …");
  }
  const criteria = Object.fromEntries(FIELDS.map(([name]) => [name, parameters.get(name)]).filter(([, value]) => value));
  const mayKill = me.rights === "operate" && answer.sessions.length > 0
    && Object.keys(criteria).length > 0 && !("key" in criteria);
  const matching = answer.matching ?? null;
  const told = matching === null ? `${many(answer.sessions.length, "session")} on this page` : `${many(matching, "session")} match`;
  return [
    h("div", { class: "line", key: "line" },
      h("p", { role: "status" }, told, h("span", { class: "quiet" }, `, as of ${clock(found.at)}`)),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => enter({ parameters }) }, "Ask again"),
        mayKill && h("button", { type: "button", class: "danger", onclick: () =>
          askKillMatching(criteria, () => enter({ parameters })) }, "End these sessions …"))),
    list(answer.sessions),
    pages(parameters, answer),
  ];
}

/** Where the page of a session is. */
export function addressOf(session) {
  return `#/session?${new URLSearchParams({ application: session.application, key: session.key })}`;
}

function list(sessions) {
  return h("div", { class: "panel", key: "list" }, table({
    caption: "Sessions that match",
    empty: "No session matches.",
    rows: sessions,
    key: (session) => `${session.application} ${session.key}`,
    columns: [
      { label: "Session", header: true, cell: (session) => h("a", { href: addressOf(session) }, h("code", null, short(session.key))) },
      { label: "User", kind: "long", cell: (session) => orDash(session.principal) },
      { label: "Application", kind: "long", cell: (session) => session.application },
      { label: "Owner", cell: (session) => session.owner || h("span", { class: "quiet" }, "nobody") },
      { label: "Size", kind: "number", cell: (session) => bytes(session.bytes) },
      { label: "Last used", kind: "number", cell: (session) => time(session.last_access_ms, ago(session.last_access_ms, proxyNow())) },
      { label: "Expires in", kind: "number", cell: (session) => (session.expires_in_seconds === null ? "never" : about(session.expires_in_seconds)) },
    ],
  }));
}

function pages(parameters, answer) {
  const first = new URLSearchParams(parameters);
  first.delete("from");
  const next = new URLSearchParams(first);
  next.set("from", answer.next ?? "");
  return h("nav", { class: "pages", "aria-label": "Pages", key: "pages" },
    parameters.has("from") && h("a", { class: "button", href: `#/sessions?${first}` }, "First page"),
    answer.next !== null && h("a", { class: "button", href: `#/sessions?${next}` }, "Next page"));
}
