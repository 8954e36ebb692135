// The view of upstreams: what the proxy believes of each and why, its last five minutes, and what is wished of it.

import { chart } from "./chart.js";
import { live } from "./live.js";
import { h } from "./paint.js";
import { facts, health, nothing, shape, state } from "./parts.js";
import { nameOf, samplesOf } from "./rates.js";
import { askDrain, askSet, askUndrain } from "./wishes.js";
import { clock, count, many, orDash, rate, span } from "./words.js";

export const title = "Upstreams";

const LEAVING = ["finishing", "draining"];

/** The most users that an upstream was seen with since its drain began: what its progress is measured by. */
const mostUsers = new Map();

export function view({ me }) {
  const picture = live.picture;
  if (picture === null) {
    return [h("h1", null, title), nothing("Waiting for the first picture …")];
  }
  const pools = [...new Set(picture.upstreams.map((upstream) => upstream.pool))];
  return [
    h("h1", null, title),
    picture.upstreams.length === 0 && nothing("The proxy’s file names no upstream, and none has announced itself."),
    pools.map((name) => pool(picture, name, pools.length > 1, me)),
  ];
}

function pool(picture, name, several, me) {
  const told = picture.pools.find((one) => one.pool === name);
  const members = picture.upstreams.filter((upstream) => upstream.pool === name);
  return h("section", { key: name, "aria-labelledby": `pool-${name}` },
    h("h2", { id: `pool-${name}`, class: several ? "pool" : "unseen" }, `Pool ${name}`),
    told?.maintenance && h("p", { class: "notice warn" }, shape("warn"), h("span", null,
      `Under maintenance: its clients get the page of that${told.by ? `, by ${told.by}` : ""}${told.since ? ` since ${clock(told.since * 1000)}` : ""}.`)),
    h("div", { class: "cards" }, members.map((upstream) => card(upstream, me))));
}

function card(upstream, me) {
  const name = `upstream-${upstream.pool}-${upstream.route}`;
  const samples = samplesOf(upstream);
  const draw = (what, of, shown, least, kind) =>
    chart({ what, samples, of, shown, least, kind });
  return h("article", { class: `panel card ${upstream.health}`, key: nameOf(upstream), "aria-labelledby": name, "data-route": upstream.route },
    h("div", { class: "panel-head" },
      h("h3", { id: name }, upstream.route), health(upstream), state(upstream),
      upstream.discovered && h("span", { class: "tag" }, "discovered"),
      upstream.group && h("span", { class: "tag" }, `group ${upstream.group}`)),
    h("p", { class: "why" }, orDash(upstream.reason)),
    upstream.users_unknown && h("p", { class: "quiet" }, `Users not known: ${upstream.users_unknown}.`),
    LEAVING.includes(upstream.state) && progress(upstream),
    h("div", { class: "charts" },
      draw("Requests/s", (sample) => sample.requests, rate, 5, "busy"),
      draw("Failures/s", (sample) => sample.failures, rate, 1, "failing"),
      draw("In flight", (sample) => sample.flying, count, 5, "flying")),
    facts([
      ["Address", h("code", null, upstream.url), "wide"],
      ["Users", count(upstream.users)],
      ["Tunnels", count(upstream.tunnels)],
      ["Answered", count(upstream.answered)],
      ["Failed", count(upstream.failed)],
      upstream.wished && ["Wished", wished(upstream), "wide"],
    ]),
    me.rights === "operate" && actions(upstream));
}

function wished(upstream) {
  const by = upstream.wished_by ? `by ${upstream.wished_by}` : "by an operator";
  return upstream.wished_since ? `${by} at ${clock(upstream.wished_since * 1000)}` : by;
}

function actions(upstream) {
  // Without a key, so that the focus stays when a drain begins or ends.
  const button = (title, act, kind = "") =>
    h("button", { type: "button", class: kind, onclick: () => act(upstream) }, title,
      h("span", { class: "unseen" }, ` ${upstream.route}`));
  return h("div", { class: "buttons" },
    LEAVING.includes(upstream.state)
      ? [button("Undrain", askUndrain, "chief"), upstream.state === "finishing" && button("Move now …", askDrain)]
      : button("Drain …", askDrain),
    button("Set …", askSet));
}

// What is still there, and for how long.
function progress(upstream) {
  const name = nameOf(upstream);
  const most = Math.max(mostUsers.get(name) ?? 0, upstream.users ?? 0);
  mostUsers.set(name, most);
  const gone = upstream.users === null ? null : 1 - upstream.users / Math.max(1, most);
  const empty = upstream.users === 0 && upstream.in_flight === 0 && upstream.tunnels === 0;
  const users = upstream.users === null ? "users not known" : many(upstream.users, "user");
  const left = `${users}, ${many(upstream.in_flight, "exchange")}, ${many(upstream.tunnels, "tunnel")} still there`;
  return h("div", { class: "progress" },
    h("p", null, h("b", null, empty ? "Empty: it can be stopped." : left)),
    h("progress", { max: 1, value: gone, "aria-label": `Drain of ${upstream.route}`, "aria-valuetext": left }),
    h("p", { class: "quiet" }, upstream.state === "finishing"
      ? `Users may finish; who is left moves ${upstream.finishes_in_seconds === null ? "never" : `in ${span(upstream.finishes_in_seconds)}`}.`
      : "Users move with their next request; who does not come again stays until the session expires."));
}

/** Forgets how far drains were that have ended. */
export function settle(picture) {
  for (const upstream of picture.upstreams) {
    if (!LEAVING.includes(upstream.state)) {
      mostUsers.delete(nameOf(upstream));
    }
  }
}
