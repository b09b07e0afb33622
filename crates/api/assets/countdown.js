// Counts an open retry window, or what is left of an expected mail, down. The words were right when the page was
// made and stay so without this; whoever prefers less motion, or pauses, keeps
// them as they are (WCAG 2.2.2).
const still = matchMedia('(prefers-reduced-motion: reduce)');
let paused = still.matches;

// 11 h 59 min, 22 s: the two largest units, as the server says it.
function spoken(seconds) {
  const parts = [[Math.floor(seconds / 86400), 'd'], [Math.floor(seconds / 3600) % 24, 'h'], [Math.floor(seconds / 60) % 60, 'min'], [seconds % 60, 's']];
  const first = parts.findIndex(([number]) => number);
  return first < 0 ? '0 s' : parts.slice(first, first + 2).filter(([number]) => number).map(part => part.join(' ')).join(' ');
}

// By the server's clock: how long the words have stood is counted here.
const shown = new WeakMap();
function words(place) {
  const { now, opens, closes } = place.dataset;
  if (!shown.has(place)) shown.set(place, performance.now());
  const at = Date.parse(now) + performance.now() - shown.get(place);
  const [toOpen, toClose] = [opens, closes].map(until => Math.ceil((Date.parse(until) - at) / 1000));
  if (!opens) return toClose > 0 ? `${spoken(toClose)} left` : 'over';
  if (toClose <= 0) return 'the window has closed; reload the page to see what came of it';
  return `${toOpen > 0 ? `may return in ${spoken(toOpen)}` : 'may return now'}; window closes in ${spoken(toClose)}`;
}

function tick() {
  if (paused || document.hidden) return;
  for (const place of document.querySelectorAll('[data-countdown]')) {
    const text = words(place);
    if (place.textContent !== text) place.textContent = text;
  }
}

function begin(root) {
  for (const place of root.querySelectorAll('[data-countdown]')) words(place);
  for (const button of root.querySelectorAll('[data-countdown-pause]')) {
    button.hidden = false;
    say(button);
  }
}

function say(button) {
  button.setAttribute('aria-pressed', String(paused));
  button.textContent = paused ? 'Count down' : 'Pause';
}

document.addEventListener('click', event => {
  if (!event.target.closest('[data-countdown-pause]')) return;
  paused = !paused;
  document.querySelectorAll('[data-countdown-pause]').forEach(say);
  tick();
});
document.addEventListener('panel', event => begin(event.detail));
still.addEventListener('change', () => { paused = still.matches; begin(document); });
begin(document);
setInterval(tick, 1000);
