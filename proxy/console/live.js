// What the proxy tells each second, and how fresh it is: the one thing that all views look at.
//
// The stream is the browser's own EventSource, which connects again by itself and says which change it saw last. Where the
// proxy refuses the stream, it is asked whether the login still stands, and the stream is tried again. What is shown stays
// when the connection is lost, with its age: old news is better than none if it says so.
//
// A page that nobody sees listens to nothing and says so when it is seen again: over plain HTTP a browser has six connections to
// a proxy for all its tabs, and six streams would leave none for anything else.

import { get, lookAgain } from "./api.js";
import { repaint } from "./paint.js";
import { forget, take } from "./rates.js";
import { say } from "./said.js";

/** Without a picture for so long, in milliseconds, what is shown is old: three were missed. */
const STALE_AFTER_MS = 3500;

/** A refused stream is tried again after this, in milliseconds: a proxy that is replaced is back sooner. */
const AGAIN_AFTER_MS = 2000;

/** Changes kept on the page: as many as the proxy remembers. */
const CHANGES_MAX = 1000;

const NOTHING = { picture: null, cameAt: 0, connected: false, paused: false, missed: false };

/** What is known. `cameAt` is by this browser's clock; `paused` holds from when the page was hidden until a picture comes again. */
export const live = { ...NOTHING };

/** The changes by their names, and in their order once somebody asked for that. */
const changes = new Map();
let ordered = null;

let listening = false;
let source = null;
let clock = null;
let heard = () => {};

/** Begins to listen; `hears` is told of each change as it comes. The page is painted anew whenever something came. */
export function listen(hears) {
  heard = hears;
  listening = true;
  clock ??= setInterval(() => !isFresh() && repaint(), 1000);
  open();
}

document.addEventListener("visibilitychange", () => {
  if (!listening) {
    return;
  }
  if (document.hidden) {
    shut();
    live.paused = true;
  } else if (source === null) {
    open();
    repaint();
  }
});

function shut() {
  source?.close();
  source = null;
  live.connected = false;
}

/** Stops listening and forgets what was told. */
export function close() {
  shut();
  listening = false;
  clearInterval(clock);
  clock = null;
  Object.assign(live, NOTHING);
  changes.clear();
  ordered = null;
  forget();
}

/** Whether what is shown is of now. */
export function isFresh() {
  return live.connected && Date.now() - live.cameAt < STALE_AFTER_MS;
}

/** Seconds since the last picture came. */
export function ageSeconds() {
  return Math.max(0, Math.round((Date.now() - live.cameAt) / 1000));
}

/** Milliseconds since 1970 by the proxy's clock, which ages of what it tells are measured by: this browser's may be wrong. */
export function proxyNow() {
  return live.picture === null ? Date.now() : live.picture.at + Math.max(0, Date.now() - live.cameAt);
}

function open() {
  if (document.hidden) {
    live.paused = true;
    return;
  }
  const mine = new EventSource("api/live");
  source = mine;
  mine.addEventListener("open", () => {
    if (live.picture !== null && !live.paused) {
      say("The proxy is back.");
    }
    live.connected = true;
    readLately();
  });
  mine.addEventListener("site", (event) => {
    live.picture = JSON.parse(event.data);
    live.cameAt = Date.now();
    live.paused = false;
    take(live.picture);
    repaint();
  });
  mine.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    add([change]);
    heard(change);
    repaint();
  });
  mine.addEventListener("error", () => {
    if (live.connected) {
      say("The connection to the proxy is lost: what is shown is old.");
    }
    live.connected = false;
    live.paused = false;
    repaint();
    if (mine.readyState === EventSource.CLOSED) {
      setTimeout(() => openAgain(mine), AGAIN_AFTER_MS);
    }
  });
}

async function openAgain(refused) {
  if (source !== refused) {
    return;
  }
  // A login that has ended closes all of this, which whoever hears of it does.
  await lookAgain().catch(() => {});
  if (source === refused) {
    open();
  }
}

// What happened before the page opened, and while the stream was away.
async function readLately() {
  try {
    const told = await get("lately");
    add(told.changes);
    live.missed = told.missed;
    repaint();
  } catch {
    // The stream's own end says what is wrong.
  }
}

// Numbers begin anew with each process of the proxy, so the time belongs to a change's name.
function add(more) {
  for (const change of more) {
    changes.set(changeName(change), change);
  }
  ordered = null;
  if (changes.size > 2 * CHANGES_MAX) {
    latest();
  }
}

/** The changes, latest first: put in order when they are painted, not with each that comes. */
export function latest() {
  if (ordered === null) {
    ordered = [...changes.values()].sort((one, other) => other.at - one.at || other.number - one.number);
    for (const forgotten of ordered.splice(CHANGES_MAX)) {
      changes.delete(changeName(forgotten));
    }
  }
  return ordered;
}

/** Names a change among all. */
export function changeName(change) {
  return `${change.at} ${change.number}`;
}
