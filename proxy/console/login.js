// Signing in: by a token in the address, which leaves the address bar at once, or by one that is pasted.
//
// A browser with a client certificate is signed in without this view. The token is kept nowhere: the proxy answers it with a
// cookie that no script can read. Where somebody is signed in already a link changes nothing by itself: it may be somebody else's.

import { login } from "./api.js";
import { ask } from "./dialog.js";
import { h, repaint } from "./paint.js";
import { failure } from "./parts.js";

const FRAGMENT = "#token=";

let refused = null;
let busy = false;

/** Takes a token out of the address, so that neither history nor a shoulder keeps it. */
export function takeToken() {
  if (!location.hash.startsWith(FRAGMENT)) {
    return null;
  }
  const token = location.hash.slice(FRAGMENT.length);
  history.replaceState(null, "", location.pathname);
  try {
    return decodeURIComponent(token);
  } catch {
    // Nothing that was given out; the proxy says so.
    return token;
  }
}

/** Asks whether the link's token is to take the place of who is signed in; `entered` is called with who came in then. */
export function askInstead(me, token, entered) {
  ask({
    title: "Sign in anew",
    sure: () => "Sign in with the link",
    body: () => [
      h("p", null, "You are signed in as ", h("b", null, me.name), ". The link that you followed signs in as whoever it was made for, ",
        "and what you do then is written down in that name."),
    ],
    act: async () => {
      const who = await login(token.trim());
      entered(who);
      return `You are signed in as ${who.name}.`;
    },
  });
}

/** Signs in with a token; null where it is refused, and the view says why. */
export async function enter(token) {
  busy = true;
  refused = null;
  repaint();
  try {
    return await login(token.trim());
  } catch (why) {
    refused = why.message;
    return null;
  } finally {
    busy = false;
    repaint();
  }
}

/** Says why the reader is asked again. */
export function sayWhy(sentence) {
  refused = sentence;
}

/** The view; `entered` is called with who came in. */
export function view(entered) {
  const submit = async (event) => {
    event.preventDefault();
    const field = event.target.elements.token;
    const me = busy || field.value.trim() === "" ? null : await enter(field.value);
    if (me !== null) {
      field.value = "";
      entered(me);
    }
  };
  return h("div", { class: "login", key: "login" },
    h("h1", null, "Sign in to this proxy’s console"),
    h("p", null, "Paste a token. An operator makes one on the command line:"),
    h("pre", null, h("code", null, "remora console token")),
    h("p", { class: "quiet" }, "With ", h("code", null, "--read-only"), " it is for looking alone. ",
      "A browser with a client certificate of this site needs none: it is signed in whenever the page is loaded."),
    h("form", { onsubmit: submit },
      h("label", { for: "token" }, "Token"),
      h("input", { id: "token", name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
        "aria-describedby": refused ? "refused" : false, "aria-invalid": refused ? "true" : false }),
      h("div", { id: "refused" }, failure(refused)),
      h("button", { type: "submit", class: "chief", disabled: busy }, busy ? "Signing in …" : "Sign in")));
}
