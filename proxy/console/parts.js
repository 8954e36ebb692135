// Pieces that several views show: marks, panels, figures and tables.
//
// A mark says its state by shape and word; colour only repeats it. A table is a table to a screen reader at any width:
// its roles are written out, because narrow screens lay rows out as blocks.

import { h } from "./paint.js";
import { count, machine, moment, orDash } from "./words.js";

const SHAPES = {
  good: () => h("circle", { cx: 6, cy: 6, r: 4.5 }),
  note: () => h("path", { d: "M6 1.2 11.2 6 6 10.8.8 6z" }),
  warn: () => h("path", { d: "M6 .8 11.6 11H.4z" }),
  bad: () => h("path", { d: "M2 .6 6 4.6l4-4L11.4 2l-4 4 4 4-1.4 1.4-4-4-4 4L.6 10l4-4-4-4z" }),
  idle: () => h("circle", { cx: 6, cy: 6, r: 3.8, class: "hollow" }),
};

/** A shape and a word. Kinds: good, note, warn, bad, idle. */
export function mark(kind, word) {
  return h("span", { class: `mark ${kind}` }, shape(kind), h("span", null, word));
}

/** The shape alone, beside text that says the same. */
export function shape(kind) {
  return h("svg", { class: `shape ${kind}`, viewBox: "0 0 12 12", "aria-hidden": "true" }, SHAPES[kind]());
}

const HEALTHS = { up: "good", leaving: "note", down: "bad" };

/** What the proxy believes of an upstream. */
export function health(upstream) {
  return mark(HEALTHS[upstream.health] ?? "idle", upstream.health);
}

/** What is wanted of an upstream, where that is not the usual. */
export function state(upstream) {
  if (upstream.state === "active") {
    return upstream.weight === 1 ? null : h("span", { class: "tag" }, `weight ${upstream.weight}`);
  }
  const weight = upstream.weight === 1 ? "" : `, weight ${upstream.weight}`;
  return h("span", { class: "tag wish" }, `${upstream.state}${weight}`);
}

/** A part of the page with a heading of the second level. */
export function panel({ id, title, aside = null, kind = "" }, ...content) {
  return h("section", { class: `panel ${kind}`, "aria-labelledby": id, key: id },
    h("div", { class: "panel-head" }, h("h2", { id }, title), aside),
    ...content);
}

/** A row of figures: pairs of what and how much, with a word beside where there is one. */
export function figures(list) {
  return h("dl", { class: "figures" }, list.filter(Boolean).map(({ name, value, beside = null, kind = "" }) =>
    h("div", { class: kind, key: name }, h("dt", null, name), h("dd", null, value, beside && h("small", null, beside)))));
}

/** Facts: pairs of what and how much, in columns; those of kind "wide" take two. */
export function facts(list) {
  return h("dl", { class: "facts" }, list.filter(Boolean).map(([name, value, kind = false]) =>
    h("div", { key: name, class: kind }, h("dt", null, name), h("dd", null, value))));
}

/** A count that should be zero. */
export function trouble(number) {
  return number > 0 ? mark("warn", count(number)) : count(number);
}

/** A sentence where there is nothing to show. */
export function nothing(sentence) {
  return h("p", { class: "nothing" }, sentence);
}

/** A sentence that something is not as it should be. */
export function notice(sentence) {
  return h("p", { class: "notice warn" }, shape("warn"), h("span", null, sentence));
}

/** A failure, said at once. */
export function failure(sentence) {
  return sentence && h("p", { class: "notice bad", role: "alert" }, shape("bad"), h("span", null, sentence));
}

/** A moment, in words and for machines. */
export function time(at, shown) {
  return h("time", { datetime: machine(at), title: moment(at) }, shown);
}

/** A table. A column has a name, a label, the cell of a row, and may be of numbers or the row's header. */
export function table({ caption, hidden = true, columns, rows, key, empty }) {
  if (rows.length === 0) {
    return nothing(empty);
  }
  const head = columns.map((column) =>
    h("th", { scope: "col", role: "columnheader", class: column.kind ?? false, key: column.label },
      h("span", { class: column.silent ? "unseen" : false }, column.label)));
  return h("table", { role: "table" },
    h("caption", { class: hidden ? "unseen" : false }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)),
    h("tbody", { role: "rowgroup" }, rows.map((row) =>
      h("tr", { role: "row", key: key(row) }, columns.map((column) => cell(column, row))))));
}

function cell(column, row) {
  const content = column.cell(row);
  const kinds = [column.kind, content === orDash(null) && "unknown"].filter(Boolean).join(" ");
  const attributes = { class: kinds || false, "data-label": column.silent ? false : column.label, key: column.label };
  return column.header
    ? h("th", { ...attributes, scope: "row", role: "rowheader" }, content)
    : h("td", { ...attributes, role: "cell" }, content);
}
