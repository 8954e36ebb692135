// Dialogs that wish something of an upstream: a drain, its end, a state or a weight. Each says first what it would cost.
//
// A wish is careful: the proxy refuses it where it would take from a pool its last upstream that is up. It is not careful only
// where the dialog shows that cost, and the button then says so. Only what the reader changed is wished, by the upstream as it was
// when the dialog opened: what others wished meanwhile, or a deadline beside a new weight, stays.

import { post } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./paint.js";
import { notice } from "./parts.js";
import { many } from "./words.js";

/** Minutes until users who may finish are moved, unless said otherwise: what the command line takes as well. */
const DEADLINE_MINUTES = 60;

const STATES = {
  active: "serves everybody",
  standby: "serves only when no other can",
  finishing: "keeps its users, takes no new ones",
  draining: "its users move with their next request",
  disabled: "takes nobody who is not its user already",
  stopped: "serves nobody",
};

/** Asks how to drain an upstream, and does it. */
export function askDrain(upstream) {
  const chosen = { mode: upstream.state === "finishing" ? "move" : "finish", minutes: DEADLINE_MINUTES };
  const { route } = upstream;
  askCarefully({
    title: `Drain ${route}`,
    path: "upstreams/drain",
    word: () => (chosen.mode === "move" ? "Move its users" : "Let users finish"),
    done: `${route} is drained.`,
    wish: () => ({ route, mode: chosen.mode, deadline_seconds: chosen.mode === "finish" ? chosen.minutes * 60 : 0 }),
    body: (again) => [
      h("p", null, whom(upstream)),
      h("fieldset", null,
        h("legend", null, "Its users"),
        choice("mode", "finish", "stay until a deadline, and move then", chosen, again),
        choice("mode", "move", "move with their next request", chosen, again)),
      chosen.mode === "finish" && h("label", { key: "minutes" }, h("span", null, "Deadline in minutes"),
        h("input", { type: "number", name: "minutes", min: 1, max: 10080, required: true, value: chosen.minutes,
          oninput: (event) => { chosen.minutes = Number(event.target.value); } })),
    ],
  });
}

/** Asks whether a drain is to end. */
export function askUndrain(upstream) {
  ask({
    title: `End the drain of ${upstream.route}`,
    sure: () => "Undrain",
    body: () => h("p", null, "It takes new users again. Users who moved stay where they are."),
    act: async () => heard(`The drain of ${upstream.route} has ended.`, await post("upstreams/undrain", { route: upstream.route })),
  });
}

/** Asks which state and weight an upstream is to have. */
export function askSet(upstream) {
  const chosen = { state: upstream.state, weight: upstream.weight, reset: false };
  const { route } = upstream;
  askCarefully({
    title: `Set ${route}`,
    path: "upstreams/set",
    word: () => (chosen.reset ? "Do as the file says" : "Set"),
    done: `${route} is set.`,
    wish: () => (chosen.reset ? { route, reset: true } : { route, ...changed(upstream, chosen) }),
    body: (again) => [
      h("label", null, h("span", null, "State"),
        h("select", { name: "state", value: chosen.state, disabled: chosen.reset,
          onchange: (event) => { chosen.state = event.target.value; again(); } },
        Object.keys(STATES).map((name) => h("option", { value: name, key: name }, name)))),
      h("p", { class: "quiet" }, `${chosen.state}: ${STATES[chosen.state] ?? ""}.`),
      h("label", null, h("span", null, "Weight: its share of new users"),
        h("input", { type: "number", name: "weight", min: 1, max: 1000, required: true, value: chosen.weight, disabled: chosen.reset,
          oninput: (event) => { chosen.weight = Number(event.target.value); } })),
      upstream.wished && h("label", { class: "check" },
        h("input", { type: "checkbox", name: "reset", checked: chosen.reset,
          onchange: (event) => { chosen.reset = event.target.checked; again(); } }),
        h("span", null, "Instead, end all that was wished: what the file says holds")),
    ],
  });
}

function changed(upstream, chosen) {
  return Object.fromEntries(["state", "weight"].filter((name) => chosen[name] !== upstream[name]).map((name) => [name, chosen[name]]));
}

// Asks for what may cost a pool its last upstream. `wish` is what would be asked for as the dialog stands, `word` the word on
// the button for it.
function askCarefully({ title, path, word, done, wish, body }) {
  const foreseen = { answered: false, costs: [], unknown: null };
  let refused = { of: null, sentence: null };
  const ready = () => !takes(wish()) || foreseen.answered;
  const costs = () => [
    ...(takes(wish()) ? foreseen.costs : []),
    ...(refused.of === JSON.stringify(wish()) ? [refused.sentence] : []),
  ];
  const again = ask({
    title,
    ready,
    danger: () => costs().length > 0,
    sure: () => (ready() ? `${word()}${costs().length > 0 ? " all the same" : ""}` : "Asking what it costs …"),
    body: (anew) => [
      [...costs(), takes(wish()) && foreseen.unknown].filter(Boolean).map((sentence) => ({ ...notice(sentence), key: sentence })),
      body(anew),
    ],
    act: async () => {
      const asked = wish();
      if (Object.keys(asked).length === 1) {
        throw new Error("Nothing is different: choose another state or weight.");
      }
      try {
        return heard(done, await post(path, { ...asked, careful: costs().length === 0 }));
      } catch (why) {
        if (why.status !== 409) {
          throw why;
        }
        // The pool has changed since the cost was asked for, or it is another than a drain's.
        refused = { of: JSON.stringify(asked), sentence: why.message };
        throw new Error("It was not done: above stands what it would cost.");
      }
    },
  });
  foresee(wish().route, foreseen, again);
}

// Whether what is wished takes users away.
function takes(wished) {
  return "mode" in wished || (wished.state ?? "active") !== "active";
}

function choice(name, value, title, chosen, again) {
  const pick = () => {
    chosen[name] = value;
    again();
  };
  return h("label", { class: "check", key: value },
    h("input", { type: "radio", name, value, checked: chosen[name] === value, onchange: pick }), h("span", null, title));
}

function whom(upstream) {
  const users = upstream.users === null ? "" : `It holds ${many(upstream.users, "user")}. `;
  return `${users}Now ${many(upstream.in_flight, "exchange")} and ${many(upstream.tunnels, "tunnel")} are with it. `
    + "Nobody is logged out.";
}

// What taking this upstream would cost its pools, asked while the reader reads.
async function foresee(route, foreseen, again) {
  try {
    foreseen.costs = (await post("upstreams/foresee", { route })).emptied;
  } catch (why) {
    foreseen.unknown = `What it would cost is not known: ${why.message}`;
  }
  foreseen.answered = true;
  again();
}

function heard(done, told) {
  const shared = told.shared ? " All proxies follow." : "";
  const ends = told.ends_with_process ? " It holds until this proxy ends, which keeps no state." : "";
  return done + shared + ends;
}
