// What is said aloud to a reader who does not see the page: results of what was asked, and what changes; never figures.
//
// Sentences that come close together are said together, and of many only how many and the last: a storm of changes must not
// keep a screen reader talking.

/** Between two announcements, in milliseconds: the time in which a sentence is read. */
const PAUSE_MS = 4000;

let waiting = [];
let resting = false;

/** Says a sentence, now or with the next ones. */
export function say(sentence) {
  waiting.push(sentence);
  if (!resting) {
    tell();
  }
}

function tell() {
  const told = waiting.length > 2 ? `${waiting.length} announcements. The last: ${waiting.at(-1)}` : waiting.join(" ");
  waiting = [];
  document.getElementById("said").textContent = told;
  resting = true;
  setTimeout(() => {
    resting = false;
    if (waiting.length > 0) {
      tell();
    }
  }, PAUSE_MS);
}
