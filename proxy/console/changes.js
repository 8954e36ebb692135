// The view of what changed lately, and why: elections, beliefs, wishes, reloads, replacements, logins.

import { changeName, latest, live } from "./live.js";
import { h } from "./paint.js";
import { mark, table, time } from "./parts.js";
import { clock, many, orDash } from "./words.js";

export const title = "Changes";

const KINDS = {
  belief: "warn",
  leader: "warn",
  node: "warn",
  wish: "note",
  maintenance: "note",
  session: "note",
  discovery: "idle",
  reload: "idle",
  replacement: "idle",
  login: "idle",
};

/** What kind of change it is. */
export function kindMark(change) {
  const better = change.kind === "belief" && change.what.endsWith(" is up");
  return mark(better ? "good" : (KINDS[change.kind] ?? "idle"), change.kind);
}

/** What it is of, where the sentence does not say so itself. */
export function subject(change) {
  return change.what.includes(change.of) ? "" : change.of;
}

function go(parameters) {
  location.replace(`#/changes?${new URLSearchParams(parameters)}`);
}

export function view({ parameters }) {
  const kind = parameters.get("kind") ?? "";
  const of = parameters.get("of") ?? "";
  const kinds = Object.keys(KINDS);
  const shown = latest().filter((change) =>
    (kind === "" || change.kind === kind) && (of === "" || `${change.of} ${change.what}`.toLowerCase().includes(of.toLowerCase())));
  return [
    h("h1", null, title),
    h("form", { class: "filter", role: "search", onsubmit: (event) => event.preventDefault() },
      h("label", null, h("span", null, "Kind"),
        h("select", { value: kind, onchange: (event) => go({ kind: event.target.value, of }) },
          h("option", { value: "" }, "all"), kinds.map((name) => h("option", { value: name, key: name }, name)))),
      h("label", null, h("span", null, "Of or about"),
        h("input", { type: "search", value: of, oninput: (event) => go({ kind, of: event.target.value }) })),
      h("p", { class: "quiet", role: "status" }, `${many(shown.length, "change")} shown, latest first`)),
    live.missed && h("p", { class: "notice" }, "Earlier changes are forgotten: the proxy keeps the last thousand."),
    h("div", { class: "panel" }, table({
      caption: "What changed at this proxy and its site, latest first",
      empty: "Nothing of that kind has changed lately.",
      rows: shown,
      key: changeName,
      columns: [
        { label: "When", cell: (change) => time(change.at, clock(change.at)), kind: "when" },
        { label: "Kind", cell: kindMark },
        { label: "Of", header: true, cell: (change) => orDash(change.of) },
        { label: "What", kind: "long", cell: (change) => change.what },
        { label: "Why", kind: "long", cell: (change) => orDash(change.why) },
        { label: "Who", kind: "long", cell: (change) => orDash(change.who) },
      ],
    })),
  ];
}
