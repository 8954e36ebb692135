// Calls of the console's own HTTP: JSON there and back, failures as sentences.
//
// Every call that changes something carries the secret of the login against forged requests. A login that has ended is told
// to whoever asked for that (`onEnded`), because then every view is over.

/** A call that was refused or did not come through: a sentence, and the status, 0 where there was none. */
export class Failure extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

let csrf = "";
let ended = () => {};

/** Calls this whenever the proxy knows no login any more. */
export function onEnded(then) {
  ended = then;
}

/** Who is logged in, or null. */
export async function whoAmI() {
  try {
    return remember(await call("api/me", {}));
  } catch (failure) {
    if (failure.status === 401 || failure.status === 403) {
      return null;
    }
    throw failure;
  }
}

/** Logs in with a token. */
export async function login(token) {
  return remember(await call("api/login", posted({ token })));
}

/** Logs out; that the proxy is away changes nothing for the reader. */
export async function logout() {
  await call("api/logout", posted({})).catch(() => {});
  csrf = "";
}

/** Reads; parameters that are empty are left out. */
export async function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return watched(call(`api/${path}${query && "?"}${query}`, {}));
}

/** Changes something. */
export async function post(path, body) {
  return watched(call(`api/${path}`, posted(body)));
}

function remember(me) {
  csrf = me.csrf;
  return me;
}

function posted(body) {
  const headers = { "content-type": "application/json", "x-remora-csrf": csrf };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

async function watched(answer) {
  try {
    return await answer;
  } catch (failure) {
    if (failure.status === 401) {
      ended();
    }
    throw failure;
  }
}

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new Failure("The proxy does not answer.", 0);
  }
  const said = await answer.json().catch(() => null);
  if (!answer.ok) {
    throw new Failure(said?.error ?? `The proxy answered with status ${answer.status}.`, answer.status);
  }
  return said;
}
