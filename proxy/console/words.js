// Figures as people read them. Everything that is not known is a dash, never a zero.

const DASH = "–";

/** A count, with thin groups of three digits. */
export function count(number) {
  return number === null || number === undefined ? DASH : number.toLocaleString("en").replaceAll(",", "\u202f");
}

/** A rate: few digits, so that it does not flicker. */
export function rate(number) {
  if (number === null || number === undefined) {
    return DASH;
  }
  return number !== 0 && number < 9.95 ? number.toFixed(1) : count(Math.round(number));
}

/** Bytes in the unit that leaves one to four digits. */
export function bytes(number) {
  if (number === null || number === undefined) {
    return DASH;
  }
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  let rest = number;
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${unit > 0 && rest < 9.95 ? rest.toFixed(1) : Math.round(rest)}\u00a0${units[unit]}`;
}

/** A span of seconds in its two largest units. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) {
    return DASH;
  }
  const parts = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.max(0, Math.round(seconds));
  const told = [];
  for (const [unit, size] of parts) {
    const whole = Math.floor(rest / size);
    rest -= whole * size;
    if (whole > 0) {
      told.push(`${whole}\u00a0${unit}`);
    }
  }
  return told.slice(0, 2).join(" ") || "0\u00a0s";
}

/** A span of seconds in its largest unit: for lists. */
export function about(seconds) {
  return span(seconds).split(" ")[0];
}

/** About how long ago a time in milliseconds was. */
export function ago(at, now) {
  const seconds = Math.round((now - at) / 1000);
  return seconds < 1 ? "just now" : `${about(seconds)} ago`;
}

/** Time of day; the date as well where it is not today's. */
export function clock(at) {
  const time = new Date(at);
  const ofDay = time.toLocaleTimeString("en-GB");
  return time.toDateString() === new Date().toDateString() ? ofDay : `${date(time)} ${ofDay}`;
}

/** Date and time, for where neither is near. */
export function moment(at) {
  const time = new Date(at);
  return `${date(time)} ${time.toLocaleTimeString("en-GB")}`;
}

function date(time) {
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
}

/** The time as machines write it. */
export function machine(at) {
  return new Date(at).toISOString();
}

/** So many of something. */
export function many(number, one, more = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** Microseconds as milliseconds. */
export function millis(micros) {
  if (micros === null || micros === undefined || micros === 0) {
    return DASH;
  }
  const ms = micros / 1000;
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)}\u00a0ms`;
}

/** The first digits of a key: what people compare. */
export function short(key) {
  return key.slice(0, 8);
}

/** A text, or a dash. */
export function orDash(text) {
  return text === null || text === undefined || text === "" ? DASH : text;
}
