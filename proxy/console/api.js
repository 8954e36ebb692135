// Calls of the console's own HTTP: JSON there and back, failures as sentences.
//
// Every call that changes something carries the secret of the login against forged requests. Another login of the same browser
// has another one: whoever shows a certificate is given a new login when the old one ends, and another tab may sign in. So a
// change that is refused for its secret is asked for once more with the present one, but only in the same name and with the same
// rights: nobody acts as somebody whom the page does not show. A login that has ended, or is another's, is told to whoever asked
// for that (`onLogin`), because then every view is over or says something else.

/** A call that was refused or did not come through: a sentence, and the status, 0 where there was none. */
export class Failure extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/** The login that the proxy told of last, or null. */
let known = null;
let told = () => {};

/** Calls this with the login whenever another one is met than the page was told of, and with null when there is none any more. */
export function onLogin(then) {
  told = then;
}

/** Who is logged in, or null. */
export async function whoAmI() {
  try {
    known = await call("api/me", {});
  } catch (failure) {
    if (failure.status !== 401 && failure.status !== 403) {
      throw failure;
    }
    known = null;
  }
  return known;
}

/** Asks whether the login still stands, and tells what became of it. */
export async function lookAgain() {
  const now = await whoAmI();
  told(now);
  return now;
}

/** Logs in with a token. */
export async function login(token) {
  known = await call("api/login", posted({ token }));
  return known;
}

/** Logs out. Only the proxy can do that: where it does not say so, the cookie is good still, and this fails. */
export async function logout() {
  try {
    await changed("logout", {});
  } catch (failure) {
    if (failure.status !== 401) {
      throw failure;
    }
  }
  known = null;
}

/** Reads; parameters that are empty are left out. */
export async function get(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return watched(call(`api/${path}${query && "?"}${query}`, {}));
}

/** Changes something. */
export async function post(path, body) {
  return watched(changed(path, body));
}

async function changed(path, body) {
  const before = known;
  try {
    return await call(`api/${path}`, posted(body));
  } catch (failure) {
    if (failure.status !== 403) {
      throw failure;
    }
    const now = await lookAgain();
    if (now === null) {
      throw new Failure("The login has ended.", 401);
    }
    if (now.csrf === before?.csrf) {
      throw failure;
    }
    if (now.name !== before?.name || now.rights !== before?.rights) {
      throw new Failure(`Nothing was done: this browser is signed in as ${now.name} now.`, 403);
    }
  }
  return call(`api/${path}`, posted(body));
}

function posted(body) {
  const headers = { "content-type": "application/json", "x-remora-csrf": known?.csrf ?? "" };
  return { method: "POST", headers, body: JSON.stringify(body) };
}

async function watched(answer) {
  try {
    return await answer;
  } catch (failure) {
    if (failure.status === 401) {
      known = null;
      told(null);
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
