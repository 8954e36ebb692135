// A chart of the last five minutes: one line over time, its figure beside it, and a sentence for whoever does not see it.
//
// The scale begins at zero and ends at a round figure above the highest sample, so that a quiet upstream does not look busy.
// Seconds without a sample are gaps. Nothing moves but by new samples.

import { h } from "./paint.js";
import { SPAN_MS } from "./rates.js";

/** Size of the drawing in its own units; the page stretches it. */
const WIDE = 300;
const HIGH = 60;

/** Samples further apart than this, in milliseconds, are not joined: two were missed. */
const GAP_MS = 3500;

/** A chart. `what` names it, `of` reads a figure from a sample, `shown` writes one, `least` is the smallest scale. */
export function chart({ what, samples, of, shown, least, kind }) {
  const known = samples.filter((sample) => of(sample) !== null && of(sample) !== undefined);
  const now = samples.length > 0 ? samples.at(-1).at : Date.now();
  const highest = known.reduce((top, sample) => Math.max(top, of(sample)), 0);
  const top = roundedUp(Math.max(highest, least));
  const last = known.length > 0 ? of(known.at(-1)) : null;
  return h("figure", { class: `chart ${kind}${highest > 0 ? "" : " calm"}` },
    h("figcaption", null, h("span", null, what), h("b", null, shown(last))),
    h("div", { class: "plot" },
      h("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img", "aria-label": told(what, known, of, shown) },
        grid(), lines(known, of, now, top)),
      h("span", { class: "scale", "aria-hidden": "true" }, shown(top))),
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", null, "5 min ago"), h("span", null, "now")));
}

/** A small one, without words of its own, for a table's row; the figure stands beside it. */
export function spark({ what, samples, of, shown, least }) {
  const known = samples.filter((sample) => of(sample) !== null && of(sample) !== undefined);
  const now = samples.length > 0 ? samples.at(-1).at : Date.now();
  const highest = known.reduce((top, sample) => Math.max(top, of(sample)), 0);
  const top = roundedUp(Math.max(highest, least));
  return h("svg", { class: "spark", viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img",
    "aria-label": told(what, known, of, shown) }, lines(known, of, now, top));
}

function told(what, known, of, shown) {
  if (known.length === 0) {
    return `${what}: nothing known yet`;
  }
  const all = known.map(of);
  const since = Math.max(1, Math.round((known.at(-1).at - known[0].at) / 60000));
  return `${what}, last ${since} min: now ${shown(all.at(-1))}, lowest ${shown(Math.min(...all))}, `
    + `highest ${shown(Math.max(...all))}`;
}

function grid() {
  const across = [0.5, 1].map((part) => `M0 ${HIGH * part}H${WIDE}`);
  const down = [1, 2, 3, 4].map((minute) => `M${(WIDE * minute) / 5} 0V${HIGH}`);
  return h("path", { class: "grid", d: [...across, ...down].join("") });
}

function lines(known, of, now, top) {
  const runs = [];
  for (const sample of known) {
    const run = runs.at(-1);
    if (run === undefined || sample.at - run.at(-1).at > GAP_MS) {
      runs.push([sample]);
    } else {
      run.push(sample);
    }
  }
  const across = (sample) => (WIDE * (1 - (now - sample.at) / SPAN_MS)).toFixed(1);
  const up = (sample) => (HIGH - 1 - (HIGH - 2) * (of(sample) / top)).toFixed(1);
  const points = (run) => run.map((sample) => `${across(sample)} ${up(sample)}`).join("L");
  const areas = runs.map((run) => `M${across(run[0])} ${HIGH}L${points(run)}L${across(run.at(-1))} ${HIGH}z`);
  return [
    h("path", { class: "area", d: areas.join("") }),
    h("path", { class: "line", d: runs.map((run) => `M${points(run)}${run.length === 1 ? "h0.1" : ""}`).join("") }),
  ];
}

/** The next of 1, 2, 5, 10, 20, 50, .. */
function roundedUp(figure) {
  const power = 10 ** Math.floor(Math.log10(figure));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= figure * 0.999);
}
