// Signing in: by a token in the address, which leaves the address bar at once, or by one that is pasted.
//
// A browser with a client certificate is signed in without this view. The token is kept nowhere: the proxy answers it with a
// cookie that no script can read.

import { login } from "./api.js";
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
  const token = decodeURIComponent(location.hash.slice(FRAGMENT.length));
  history.replaceState(null, "", location.pathname);
  return token;
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
      "A browser with a client certificate of this site needs none."),
    h("form", { onsubmit: submit },
      h("label", { for: "token" }, "Token"),
      h("input", { id: "token", name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
        "aria-describedby": refused ? "refused" : false, "aria-invalid": refused ? "true" : false }),
      h("div", { id: "refused" }, failure(refused)),
      h("button", { type: "submit", class: "chief", disabled: busy }, busy ? "Signing in …" : "Sign in")));
}
