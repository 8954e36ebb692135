// A question that waits for an answer: the browser's own dialog, so that Escape closes it, the page behind is out of reach, and
// the focus goes back to where it was.
//
// `act` does what was asked; while it runs, and until what must be read first is there (`ready`), nothing can be pressed. When it
// fails the sentence stands in the dialog, and the reader may change something and try again.

import { h, paint } from "./paint.js";
import { failure } from "./parts.js";
import { say } from "./said.js";

let numbered = 0;

/**
 * Asks. `body` returns what is shown and is called again by `again`, which it is given; `act` returns the sentence that is
 * said afterwards; `sure` is the word on the button, and `danger` whether it looks so.
 */
export function ask({ title, body, sure, ready = () => true, danger = () => false, act }) {
  numbered += 1;
  const name = `dialog-${numbered}`;
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", name);
  let busy = false;
  let refused = null;
  const submit = async (event) => {
    event.preventDefault();
    if (busy || !ready()) {
      return;
    }
    busy = true;
    refused = null;
    again();
    try {
      say(await act());
      dialog.close();
    } catch (why) {
      busy = false;
      refused = why.message;
      again();
    }
  };
  const again = () => paint(dialog,
    h("form", { method: "dialog", onsubmit: submit },
      h("h2", { id: name }, title),
      h("div", { class: "dialog-body" }, body(again), failure(refused)),
      h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        h("button", { type: "submit", class: danger() ? "danger" : "chief", disabled: busy || !ready() },
          busy ? "Working …" : sure()))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  again();
  dialog.showModal();
  return again;
}

/** Closes all that are open: what they ask is not the next reader's. */
export function closeAll() {
  for (const dialog of document.querySelectorAll("dialog[open]")) {
    dialog.close();
  }
}
