// Makes the document what a view says, and touches only what differs: so that what is focused, selected or scrolled stays.
//
// A view is a function that returns nodes made by `h`. Text becomes text nodes and nothing else, so no name that a user gave
// himself is ever read as markup. Children with a `key` are recognised wherever they went; others by their place.
// Left out: style attributes, which the page's content security policy refuses.

const SVG = "http://www.w3.org/2000/svg";
const HANDLERS = Symbol("handlers");
const KEY = Symbol("key");
const PAINTED = Symbol("painted");

/** A node as it should be: its tag, its attributes (`on...` are functions) and its children. */
export function h(tag, attributes, ...children) {
  const { key = null, ...rest } = attributes ?? {};
  const kept = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return { tag, key, attributes: rest, children: kept.map((child) => (typeof child === "object" ? child : String(child))) };
}

/** Makes the children of an element what is wanted. */
export function paint(parent, ...wanted) {
  const focused = document.activeElement;
  reconcile(parent, h("root", null, ...wanted).children);
  // An element that changed its place has lost the focus on the way.
  if (focused !== document.activeElement && focused?.isConnected && parent.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
}

let painter = () => {};
let asked = false;

/** Says what paints the whole page. */
export function paintBy(paintAll) {
  painter = paintAll;
}

/** Paints the page anew with the browser's next frame, however often that is asked before: a tab that nobody sees has no frames. */
export function repaint() {
  if (asked) {
    return;
  }
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    painter();
  });
}

function reconcile(parent, wanted) {
  const keys = new Set(wanted.map((want) => want.key).filter((key) => key !== null && key !== undefined));
  const keyed = new Map();
  for (const node of [...parent.childNodes]) {
    const key = node[KEY] ?? null;
    if (key === null) {
      continue;
    }
    if (keys.has(key)) {
      keyed.set(key, node);
    } else {
      node.remove();
    }
  }
  let place = parent.firstChild;
  for (const want of wanted) {
    const known = fits(place, want) ? place : (keyed.get(want.key ?? null) ?? null);
    const node = known !== null && fits(known, want) ? known : make(parent, want);
    if (node === place) {
      place = place.nextSibling;
    } else {
      parent.insertBefore(node, place);
    }
    update(node, want);
  }
  while (place !== null) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function fits(node, want) {
  if (node === null) {
    return false;
  }
  if (typeof want === "string") {
    return node.nodeType === Node.TEXT_NODE;
  }
  return node.nodeType === Node.ELEMENT_NODE && node.localName === want.tag && (node[KEY] ?? null) === want.key;
}

function make(parent, want) {
  if (typeof want === "string") {
    return document.createTextNode(want);
  }
  const drawn = want.tag === "svg" || parent.namespaceURI === SVG;
  const node = drawn ? document.createElementNS(SVG, want.tag) : document.createElement(want.tag);
  node[KEY] = want.key;
  return node;
}

function update(node, want) {
  if (typeof want === "string") {
    if (node.data !== want) {
      node.data = want;
    }
    return;
  }
  const before = node[PAINTED] ?? {};
  for (const name of Object.keys(before)) {
    if (!(name in want.attributes)) {
      set(node, name, null);
    }
  }
  for (const [name, value] of Object.entries(want.attributes)) {
    if (name !== "value" && before[name] !== value) {
      set(node, name, value);
    }
  }
  node[PAINTED] = want.attributes;
  reconcile(node, want.children);
  // What is chosen must be there first.
  if ("value" in want.attributes && before.value !== want.attributes.value) {
    set(node, "value", want.attributes.value);
  }
}

function set(node, name, value) {
  if (name.startsWith("on")) {
    listen(node, name.slice(2), value);
  } else if (name === "checked" || name === "disabled") {
    node[name] = Boolean(value);
  } else if (name === "value" && node.localName !== "progress") {
    node.value = value ?? "";
  } else if (value === null || value === undefined || value === false) {
    node.removeAttribute(name);
  } else {
    node.setAttribute(name, value === true ? "" : value);
  }
}

// One listener for each kind of event, which asks for the handler of the moment.
function listen(node, type, handler) {
  node[HANDLERS] ??= {};
  if (!(type in node[HANDLERS])) {
    node.addEventListener(type, (event) => node[HANDLERS][type]?.(event));
  }
  node[HANDLERS][type] = handler;
}
