// The view that says whether all is well: what is wrong first, then the site in figures.
//
// What is wrong is judged by the proxy, by the same rules as `remora status`: this page only shows it.

import { kindMark, subject } from "./changes.js";
import { spark } from "./chart.js";
import { latest, live } from "./live.js";
import { h } from "./paint.js";
import { facts, figures, health, mark, nothing, notice, panel, shape, state, table, time, trouble } from "./parts.js";
import { nameOf, samplesOf } from "./rates.js";
import { busy, presence, untold } from "./tomcats.js";
import { bytes, clock, count, many, millis, orDash, rate, span } from "./words.js";

export const title = "Overview";

/** Changes shown beside: a glance; the view of changes has all. */
const LATELY = 8;

export function view() {
  const picture = live.picture;
  if (picture === null) {
    return [h("h1", null, title), nothing("Waiting for the first picture …")];
  }
  return [
    h("h1", { class: "unseen" }, title),
    verdict(picture),
    glance(picture),
    h("div", { class: "columns" },
      h("div", null, upstreams(picture), nodes(picture.store), tomcats(picture.store)),
      h("div", null, lately(picture), proxy(picture))),
  ];
}

function verdict({ verdict: { troubles, remarks }, store }) {
  // What was said of a store that is not seen now is no verdict of now.
  const unseen = Boolean(store?.error);
  const well = troubles.length === 0 && !unseen;
  const told = troubles.length === 0 && unseen ? "The store is not seen" : many(troubles.length, "trouble");
  return h("section", { class: `verdict ${well ? "good" : "bad"}`, "aria-labelledby": "verdict" },
    h("h2", { id: "verdict" }, shape(well ? "good" : "bad"), well ? "All is well" : told),
    troubles.length > 0 && h("ul", { class: "troubles" }, troubles.map((trouble) =>
      h("li", { key: trouble.what }, h("b", null, trouble.what), h("span", null, trouble.advice)))),
    remarks.length > 0 && h("ul", { class: "remarks", "aria-label": "Remarks" }, remarks.map((remark) =>
      h("li", { key: remark }, shape("note"), h("span", null, remark)))));
}

function glance({ store, proxy, upstreams: all }) {
  const nodes = store?.nodes ?? null;
  const up = all.filter((upstream) => upstream.health === "up").length;
  const ready = nodes?.filter((node) => node.ready).length;
  const leader = nodes?.find((node) => node.id === store.leader);
  const flying = all.reduce((sum, upstream) => sum + upstream.in_flight, 0);
  return figures([
    { name: "Requests", value: rate(proxy.requests_per_second), beside: "per second" },
    { name: "Failures", value: rate(proxy.failures_per_second), beside: "per second",
      kind: proxy.failures_per_second > 0 ? "bad" : "" },
    { name: "In flight", value: count(flying) },
    { name: "Upstreams up", value: `${up} of ${all.length}`, kind: up < all.length ? "warn" : "" },
    nodes && { name: "Sessions", value: count(leader?.sessions), beside: leader && bytes(leader.session_bytes) },
    nodes && { name: "Store nodes ready", value: `${ready} of ${nodes.length}`, kind: ready < nodes.length ? "warn" : "" },
  ]);
}

function upstreams({ upstreams: all, pools }) {
  const several = new Set(all.map((upstream) => upstream.pool)).size > 1;
  const kept = pools.filter((pool) => pool.maintenance);
  return panel({ id: "upstreams", title: "Upstreams", aside: h("a", { href: "#/upstreams" }, "Charts and drains") },
    kept.map((pool) => h("p", { class: "notice warn", key: pool.pool }, shape("warn"),
      h("span", null, `Pool ${pool.pool} is under maintenance${pool.by ? `, by ${pool.by}` : ""}.`))),
    table({
      caption: "Upstreams: belief, load, users and rate",
      empty: "The proxy’s file names no upstream, and none has announced itself.",
      rows: all,
      key: nameOf,
      columns: [
        { label: "Route", header: true, cell: (one) => [one.route, several && h("small", null, one.pool)] },
        { label: "Belief", cell: (one) => [health(one), " ", state(one)] },
        { label: "Why", kind: "long", cell: (one) => orDash(one.reason) },
        { label: "Users", kind: "number", cell: (one) => count(one.users) },
        { label: "In flight", kind: "number", cell: (one) => count(one.in_flight) },
        { label: "Failures/s", kind: "number", cell: (one) => rate(one.failures_per_second) },
        { label: "Requests/s", kind: "number", cell: (one) => rate(one.requests_per_second) },
        { label: "Five minutes", kind: "drawn", cell: (one) => spark({ what: `Requests per second of ${one.route}`,
          samples: samplesOf(one), of: (sample) => sample.requests, shown: rate, least: 5 }) },
      ],
    }));
}

const ROLES = { leader: "good", follower: "idle", candidate: "warn" };

function nodes(store) {
  if (store === null) {
    return panel({ id: "store", title: "Store" },
      nothing("This proxy’s file names no store for the console, so only the proxy is shown."));
  }
  if (store.error) {
    return panel({ id: "store", title: "Store" },
      h("p", { class: "notice bad" }, shape("bad"), h("span", null, store.error)));
  }
  return panel({ id: "store", title: "Store", aside: h("span", { class: "quiet" }, store.format !== null && `format ${store.format}`) }, table({
    caption: "Store nodes: role, lag, disk and sessions",
    empty: "The store names no node.",
    rows: store.nodes,
    key: (node) => node.id,
    columns: [
      { label: "Node", header: true, cell: (node) => [node.id, h("small", null, node.address)] },
      { label: "Role", cell: nodeRole },
      { label: "Lag", kind: "number", cell: (node) => count(node.reachable ? node.lag : null) },
      { label: "Disk left", kind: "drawn", cell: disk },
      { label: "Sync", kind: "number", cell: (node) => millis(node.sync_micros) },
      { label: "Sessions", kind: "number", cell: (node) => count(node.sessions) },
      { label: "Changes/s", kind: "number", cell: (node) => rate(node.changes_per_second) },
      { label: "Up for", kind: "number", cell: (node) => span(node.uptime_seconds) },
    ],
  }));
}

function nodeRole(node) {
  if (!node.reachable || node.silent !== null) {
    return [mark("bad", "silent"), node.silent && h("small", null, node.silent)];
  }
  const kind = node.ready ? (ROLES[node.role] ?? "note") : "warn";
  return [mark(kind, node.ready ? node.role : `${node.role}, not ready`), !node.voter && h("span", { class: "tag" }, "no vote")];
}

function disk(node) {
  if (!node.disk_bytes) {
    return orDash(null);
  }
  const used = 1 - node.disk_free_bytes / node.disk_bytes;
  const kind = { short: "warn", reserve: "bad" }[node.disk_room] ?? "";
  return [
    h("span", null, bytes(node.disk_free_bytes)),
    h("svg", { class: `level ${kind}`, viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
      h("rect", { class: "whole", width: 100, height: 8 }), h("rect", { class: "part", width: (used * 100).toFixed(1), height: 8 })),
    kind && h("small", null, node.disk_room),
  ];
}

function tomcats(store) {
  if (store === null || store.error) {
    return null;
  }
  const head = { id: "tomcats", title: "Tomcats", aside: h("a", { href: "#/tomcats" }, "Applications") };
  if (untold(store) !== null) {
    return panel(head, notice(untold(store)));
  }
  return panel(head, table({
    caption: "Tomcats that announced themselves",
    empty: "No Tomcat has announced itself: see their logs, and the store of the <Manager> in context.xml.",
    rows: store.tomcats,
    key: (tomcat) => tomcat.node,
    columns: [
      { label: "Tomcat", header: true, cell: (tomcat) => [tomcat.node, h("small", null, tomcat.url)] },
      { label: "Presence", cell: presence },
      { label: "Applications", kind: "number", cell: (tomcat) => count(tomcat.applications.length) },
      { label: "Unprotected", kind: "number", cell: (tomcat) => trouble(tomcat.unprotected.length) },
      { label: "Threads busy", kind: "number", cell: busy },
      { label: "Values not stored", kind: "number", cell: (tomcat) =>
        trouble(tomcat.fares.reduce((sum, fare) => sum + fare.local, 0)) },
    ],
  }));
}

function lately(picture) {
  const changes = latest().slice(0, LATELY);
  return panel({ id: "lately", title: "Lately", aside: h("a", { href: "#/changes" }, "All changes") },
    changes.length === 0
      ? nothing("Nothing has changed since the proxy began to watch.")
      : h("ol", { class: "lately" }, changes.map((change) =>
        h("li", { key: `${change.at} ${change.number}` },
          time(change.at, clock(change.at)), kindMark(change),
          h("span", null, h("b", null, subject(change)), " ", change.what,
            change.why && h("small", null, change.why), change.who && h("small", null, `by ${change.who}`))))),
    h("p", { class: "quiet" }, `The proxy’s clock: ${clock(picture.at)}`));
}

function proxy({ proxy: told }) {
  const discovery = told.discovery;
  return panel({ id: "proxy", title: "This proxy" }, facts([
    ["Version", told.version],
    ["Up for", span(told.uptime_seconds)],
    ["Upstream set", `generation ${told.generation}`],
    ["Discovery", discovery === null ? "off" : following(discovery), "wide"],
  ]));
}

function following(discovery) {
  const untold = discovery.untold > 0 && h("small", null, `${many(discovery.untold, "wish", "wishes")} not yet told to the store`);
  if (discovery.present) {
    return [mark("good", `follows view ${count(discovery.version)}`), untold];
  }
  const since = discovery.silent_seconds === null ? "the view of its file" : `a view of ${span(discovery.silent_seconds)} ago`;
  return [mark("warn", `serves by ${since}`), discovery.reason && h("small", null, discovery.reason), untold];
}
