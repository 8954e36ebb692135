// Dialogs that wish something of an upstream: a drain, its end, a state or a weight. Each says first what it would cost.

import { post } from "./api.js";
import { ask, warning } from "./dialog.js";
import { h } from "./paint.js";
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
  const seen = { sentences: [] };
  const again = ask({
    title: `Drain ${upstream.route}`,
    sure: () => (chosen.mode === "move" ? "Move its users" : "Let users finish"),
    body: () => [
      cost(seen),
      h("p", null, whom(upstream)),
      h("fieldset", null,
        h("legend", null, "Its users"),
        choice("mode", "finish", "stay until a deadline, and move then", chosen, () => again()),
        choice("mode", "move", "move with their next request", chosen, () => again())),
      chosen.mode === "finish" && h("label", { key: "minutes" }, h("span", null, "Deadline in minutes"),
        h("input", { type: "number", name: "minutes", min: 1, max: 10080, required: true, value: chosen.minutes,
          oninput: (event) => { chosen.minutes = Number(event.target.value); } })),
    ],
    act: async () => {
      const deadline = chosen.mode === "finish" ? chosen.minutes * 60 : 0;
      const body = { route: upstream.route, mode: chosen.mode, deadline_seconds: deadline, careful: false };
      return heard(`${upstream.route} is drained.`, await post("upstreams/drain", body));
    },
  });
  foresee(upstream, seen, again);
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
  const seen = { sentences: [] };
  const again = ask({
    title: `Set ${upstream.route}`,
    sure: () => (chosen.reset ? "Do as the file says" : "Set"),
    body: () => [
      takes(chosen) && cost(seen),
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
    act: async () => {
      const body = chosen.reset
        ? { route: upstream.route, reset: true }
        : { route: upstream.route, state: chosen.state, weight: chosen.weight };
      return heard(`${upstream.route} is set.`, await post("upstreams/set", body));
    },
  });
  foresee(upstream, seen, again);
}

function takes(chosen) {
  return !chosen.reset && chosen.state !== "active";
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
function foresee(upstream, seen, again) {
  post("upstreams/foresee", { route: upstream.route })
    .then((told) => { seen.sentences = told.emptied; }, (why) => { seen.sentences = [`What it would cost is not known: ${why.message}`]; })
    .then(again);
}

function cost(seen) {
  return seen.sentences.map((sentence) => ({ ...warning(sentence), key: sentence }));
}

function heard(done, told) {
  const shared = told.shared ? " All proxies follow." : "";
  const ends = told.ends_with_process ? " It holds until this proxy ends, which keeps no state." : "";
  return done + shared + ends;
}
