// What stands around every view: the name, the ways, how fresh the news is, dark or light, who is signed in.

import { h, repaint } from "./paint.js";
import { ageSeconds, isFresh, live } from "./live.js";
import { mark } from "./parts.js";
import { moment, span } from "./words.js";

const WAYS = [
  ["overview", "Overview"],
  ["upstreams", "Upstreams"],
  ["sessions", "Sessions"],
  ["tomcats", "Tomcats"],
  ["changes", "Changes"],
];

/** The page's head. */
export function frame({ me, place, leave }) {
  const at = place === "session" ? "sessions" : place;
  document.documentElement.toggleAttribute("data-stale", Boolean(me) && live.picture !== null && !isFresh());
  return h("div", { class: "bar" },
    h("a", { class: "brand", href: "#/overview" }, h("img", { src: "icon.svg", alt: "", width: 26, height: 26 }), "Remora",
      h("span", null, location.host)),
    me && h("nav", { "aria-label": "Views" }, h("ul", null, WAYS.map(([name, title]) =>
      h("li", { key: name }, h("a", { href: `#/${name}`, "aria-current": at === name ? "page" : false }, title))))),
    h("div", { class: "beside" },
      me && freshness(),
      me && h("span", { class: "who", title: me.until === null ? false : `Signed in until ${moment(me.until * 1000)}` }, me.name, me.rights === "look" && h("span", { class: "tag" }, "read-only")),
      themes(),
      me && h("button", { type: "button", class: "plain", onclick: leave }, "Sign out")));
}

// Not a live region: it would speak each second.
function freshness() {
  if (isFresh()) {
    return h("span", { class: "fresh" }, mark("good", "live"));
  }
  if (live.picture === null) {
    return h("span", { class: "fresh" }, mark("idle", "connecting"));
  }
  if (live.paused) {
    return h("span", { class: "fresh" }, mark("idle", `paused while hidden, as of ${span(ageSeconds())} ago`));
  }
  return h("span", { class: "fresh stale" }, mark("bad", `connection lost, as of ${span(ageSeconds())} ago`));
}

function themes() {
  const chosen = document.documentElement.dataset.theme ?? "auto";
  const options = [["auto", "System"], ["light", "Light"], ["dark", "Dark"]];
  return h("label", { class: "theme" }, h("span", { class: "unseen" }, "Colours"),
    h("select", { onchange: (event) => choose(event.target.value), value: chosen },
      options.map(([value, title]) => h("option", { value, key: value }, title))));
}

function choose(theme) {
  if (theme === "auto") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  try {
    if (theme === "auto") {
      localStorage.removeItem("remora-theme");
    } else {
      localStorage.setItem("remora-theme", theme);
    }
  } catch {
    // Then it holds for this page.
  }
  repaint();
}
