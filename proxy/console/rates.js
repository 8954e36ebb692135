// The last five minutes of every upstream, as this page has seen them: what charts draw.
//
// A sample a second. A second without a sample stays a gap, and so does a figure that the proxy did not know: nothing is
// made up in between.

/** How far back charts look, in milliseconds: what a person remembers of a deploy or an incident. */
export const SPAN_MS = 5 * 60 * 1000;

/** Upstreams that are gone are forgotten once nothing of them is in the span. */
const series = new Map();

/** Names an upstream among all. */
export function nameOf(upstream) {
  return `${upstream.pool} ${upstream.route}`;
}

/** Takes in what a picture says. */
export function take(picture) {
  const at = picture.at;
  for (const upstream of picture.upstreams) {
    const name = nameOf(upstream);
    const samples = series.get(name) ?? [];
    samples.push({
      at,
      requests: upstream.requests_per_second,
      failures: upstream.failures_per_second,
      flying: upstream.in_flight,
    });
    series.set(name, samples);
  }
  for (const [name, samples] of series) {
    const first = samples.findIndex((sample) => sample.at > at - SPAN_MS);
    if (first < 0) {
      series.delete(name);
    } else {
      samples.splice(0, first);
    }
  }
}

/** The samples of an upstream, oldest first. */
export function samplesOf(upstream) {
  return series.get(nameOf(upstream)) ?? [];
}

/** Forgets everything: another proxy, or another login. */
export function forget() {
  series.clear();
}
