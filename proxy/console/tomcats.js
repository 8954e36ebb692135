// The view of Tomcats and their applications: who protects what, and what would be lost at a failover.

import { live } from "./live.js";
import { h } from "./paint.js";
import { facts, failure, mark, nothing, notice, panel, table } from "./parts.js";
import { count, many, orDash, span } from "./words.js";

export const title = "Tomcats";

/** Why no Tomcats are shown of a store that has told of itself, or nothing where they are. */
export function untold(store) {
  return store.tomcats === null
    ? "Which Tomcats there are is not known now: no node of the store leads, or the one that does has not said it." : null;
}

/** Whether the store hears of a Tomcat. */
export function presence(tomcat) {
  if (tomcat.present) {
    return mark("good", "present");
  }
  const since = tomcat.silent_seconds === null ? "" : ` for ${span(tomcat.silent_seconds)}`;
  return mark("bad", `silent${since}`);
}

/** How many of its threads serve requests. */
export function busy(tomcat) {
  const all = tomcat.threads > 0 ? ` of ${count(tomcat.threads)}` : "";
  return tomcat.busy === null ? orDash(null) : `${count(tomcat.busy)}${all}`;
}

export function view() {
  const store = live.picture?.store;
  return [h("h1", null, title), content(store)];
}

function content(store) {
  if (store === undefined) {
    return nothing("Waiting for the first picture …");
  }
  if (store === null) {
    return nothing("This proxy’s file names no store for the console, so it knows no Tomcat.");
  }
  if (store.error) {
    return failure(store.error);
  }
  if (untold(store) !== null) {
    return notice(untold(store));
  }
  if (store.tomcats.length === 0) {
    return nothing("No Tomcat has announced itself: see their logs, and the store of the <Manager> in context.xml.");
  }
  return store.tomcats.map(one);
}

function one(tomcat) {
  const observes = tomcat.mode === "observe";
  return panel({ id: `tomcat-${tomcat.node}`, title: tomcat.node, aside: presence(tomcat) },
    facts([
      ["Where", h("code", null, tomcat.url), "wide"],
      ["Mode", observes ? mark("warn", "observe: protects nobody") : orDash(tomcat.mode)],
      ["Manager", orDash(tomcat.version)],
      ["Threads busy", busy(tomcat)],
      ["In flight", count(tomcat.in_flight)],
    ]),
    table({
      caption: `Applications of ${tomcat.node}, and what a failover would lose`,
      empty: "It serves no application.",
      rows: rowsOf(tomcat),
      key: (row) => row.application,
      columns: [
        { label: "Application", header: true, cell: (row) => h("code", null, row.application) },
        { label: "Protected", cell: (row) => protection(row, observes) },
        { label: "Lost at a failover", kind: "long", cell: (row) => lost(row, observes) },
        { label: "Classes not stored", kind: "long", cell: (row) => classes(row.fare) },
        { label: "Undecodable", kind: "number", cell: (row) => count(row.fare?.undecodable) },
        { label: "Refused", kind: "number", cell: (row) => count(row.fare?.refused) },
        { label: "Changed in place", kind: "number", cell: (row) => count(row.fare?.changed_in_place) },
      ],
    }));
}

function rowsOf(tomcat) {
  const fareOf = (application) => tomcat.fares.find((fare) => fare.application === application) ?? null;
  const ours = tomcat.applications.map((application) => ({ application, ours: true, fare: fareOf(application) }));
  const beside = tomcat.unprotected.map((application) => ({ application, ours: false, fare: null }));
  return [...ours, ...beside].sort((row, other) => row.application.localeCompare(other.application));
}

function protection(row, observes) {
  if (!row.ours) {
    return mark("bad", "a manager of its own");
  }
  return observes ? mark("warn", "observed alone") : mark("good", "by Remora");
}

function lost(row, observes) {
  if (!row.ours || observes) {
    return "every session";
  }
  if (row.fare === null) {
    return orDash(null);
  }
  return row.fare.local === 0 ? "nothing" : `${many(row.fare.local, "value")} that could not be stored`;
}

function classes(fare) {
  if (fare === null || fare.classes.length === 0) {
    return orDash(null);
  }
  return h("ul", { class: "plain" }, fare.classes.map((name) => h("li", { key: name }, h("code", null, name))));
}
