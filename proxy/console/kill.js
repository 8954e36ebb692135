// Ending sessions, one or all that match: never without a question that says how many.

import { get, post } from "./api.js";
import { ask } from "./dialog.js";
import { h } from "./paint.js";
import { notice } from "./parts.js";
import { count, many, orDash, short } from "./words.js";

/** Asks whether to end one session. */
export function askKill(session, then) {
  ask({
    title: `End session ${short(session.key)}`,
    danger: () => true,
    sure: () => "End it",
    body: () => [
      h("p", null, "User ", h("b", null, orDash(session.principal)), " of ", h("code", null, session.application),
        " is logged out at once, on every Tomcat, and what the session holds is gone."),
    ],
    act: async () => {
      const { application, key, created_ms } = session;
      const told = await post("sessions/kill", { application, key, created_ms });
      then();
      return told.killed === 0 ? "The session had ended already." : "The session is ended.";
    },
  });
}

/** Asks whether to end all sessions that match, once the store has said how many those are. */
export async function askKillMatching(criteria, then) {
  const known = { number: null, why: null };
  const again = ask({
    title: "End sessions",
    danger: () => true,
    ready: () => known.number !== null,
    sure: () => (known.number === null ? "Counting …" : `End ${many(known.number, "session")}`),
    body: () => [
      h("p", null, known.number === null ? "Counting those that match …" : ["This ends ",
        h("b", null, many(known.number, "session")), ": every one where"]),
      h("ul", { class: "criteria" }, Object.entries(criteria).map(([name, value]) =>
        h("li", { key: name }, `${name} is `, h("code", null, value)))),
      notice("Their users are logged out at once, on every Tomcat. There is no way back."),
      known.why,
    ],
    act: async () => {
      // Whoever came meanwhile is not ended unseen: then the proxy refuses, and nothing has happened.
      const told = await post("sessions/kill", { ...criteria, at_most: known.number });
      then();
      return `${count(told.killed)} ended.`;
    },
  });
  try {
    known.number = (await get("sessions", { ...criteria, limit: 1 })).matching ?? null;
    known.why = known.number === null ? "The store does not say how many match." : null;
  } catch (why) {
    known.why = why.message;
  }
  again();
}
