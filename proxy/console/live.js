// What the proxy tells each second, and how fresh it is: the one thing that all views look at.
//
// The stream is the browser's own EventSource, which connects again by itself and says which change it saw last. Where the
// proxy refuses the stream, it is asked whether the login still stands, and the stream is tried again. What is shown stays
// when the connection is lost, with its age: old news is better than none if it says so.

import { get } from "./api.js";
import { repaint } from "./paint.js";
import { forget, take } from "./rates.js";
import { say } from "./said.js";

/** Without a picture for so long, in milliseconds, what is shown is old: three were missed. */
const STALE_AFTER_MS = 3500;

/** A refused stream is tried again after this, in milliseconds: a proxy that is replaced is back sooner. */
const AGAIN_AFTER_MS = 2000;

/** Changes kept on the page: as many as the proxy remembers. */
const CHANGES_MAX = 1000;

/** What is known. `cameAt` is by this browser's clock. */
export const live = { picture: null, cameAt: 0, connected: false, changes: [], missed: false };

let source = null;
let clock = null;
let heard = () => {};

/** Begins to listen; `hears` is told of each change as it comes. The page is painted anew whenever something came. */
export function listen(hears) {
  heard = hears;
  clock ??= setInterval(() => !isFresh() && repaint(), 1000);
  open();
}

/** Stops listening and forgets what was told. */
export function close() {
  source?.close();
  source = null;
  clearInterval(clock);
  clock = null;
  Object.assign(live, { picture: null, cameAt: 0, connected: false, changes: [], missed: false });
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

function open() {
  const mine = new EventSource("api/live");
  source = mine;
  mine.addEventListener("open", () => {
    if (live.picture !== null) {
      say("The proxy is back.");
    }
    live.connected = true;
    readLately();
  });
  mine.addEventListener("site", (event) => {
    live.picture = JSON.parse(event.data);
    live.cameAt = Date.now();
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
  // A login that has ended closes this whole page, which whoever hears of it does.
  const failure = await get("me").then(() => null, (why) => why);
  if (source === refused && failure?.status !== 401) {
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
  const known = new Map([...live.changes, ...more].map((change) => [changeName(change), change]));
  const all = [...known.values()].sort((one, other) => other.at - one.at || other.number - one.number);
  live.changes = all.slice(0, CHANGES_MAX);
}

/** Names a change among all. */
export function changeName(change) {
  return `${change.at} ${change.number}`;
}
