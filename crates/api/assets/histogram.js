// The histogram: narrowed by dragging, by two clicks or by arrow keys and
// Enter; its numbers are fetched if they were too slow for the page.
import { showTabs } from './tabs.js';

const place = document.getElementById('histogram');

export async function figures() {
  if (!place?.dataset.source) return brush();
  try {
    const answer = await fetch(place.dataset.source);
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const id of ['tabs', 'histogram']) document.getElementById(id).replaceWith(page.getElementById(id));
    showTabs(document);
    const count = document.querySelector('#tabs [aria-current] .count')?.textContent;
    for (const node of document.querySelectorAll('#position, .paging nav > span:first-child'))
      if (count && node.textContent) node.textContent += ` of ${count}`;
    brush();
  } catch {
    place.querySelector('.pending').textContent = 'The counts cannot be read at the moment.';
  }
}

function brush() {
  const area = document.getElementById('brush');
  if (!area || !+area.dataset.buckets) return;
  const { from, bucket, buckets, narrow } = area.dataset;
  const series = area.dataset.counts.split(';').filter(Boolean).map(part => {
    const [key, counts] = part.split(':');
    return { key, counts: counts.split(',') };
  });
  const mark = area.querySelector('.brush-mark');
  const says = document.getElementById('brush-says');
  const tip = document.createElement('div');
  tip.className = 'brush-tip';
  tip.hidden = true;
  area.append(tip);
  area.tabIndex = 0;
  area.setAttribute('role', 'group');
  area.setAttribute('aria-label', 'Histogram. Arrow keys choose a bar, with Shift a range, Enter narrows the list to it.');
  const last = buckets - 1;
  let anchor = null;
  let head = null;

  const time = place => new Date(+from + place * bucket);
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: document.documentElement.dataset.zone, day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
  const clock = place => format.format(time(place));
  const words = (a, b) => {
    const sums = series.map(({ key, counts }) => [key, counts.slice(a, b + 1).reduce((sum, count) => sum + +count, 0)]).filter(([, sum]) => sum);
    return `${clock(a)} – ${clock(b + 1)}: ${sums.map(([key, sum]) => `${sum} ${key}`).join(', ') || 'nothing'}`;
  };
  const show = (a, b) => {
    const [low, high] = a < b ? [a, b] : [b, a];
    mark.hidden = false;
    mark.style.left = `${100 * low / buckets}%`;
    mark.style.width = `${100 * (high - low + 1) / buckets}%`;
    tip.hidden = false;
    tip.textContent = words(low, high);
    tip.style.left = `min(${100 * low / buckets}%, calc(100% - ${tip.offsetWidth}px))`;
  };
  const hide = () => { mark.hidden = tip.hidden = true; anchor = head = null; };
  const go = () => {
    const [low, high] = anchor < head ? [anchor, head] : [head, anchor];
    location.href = narrow
      .replace('from=FROM', `from=${time(low).toISOString()}`)
      .replace('to=TO', `to=${time(high + 1).toISOString()}`);
  };
  const under = event => {
    const box = area.getBoundingClientRect();
    return Math.max(0, Math.min(last, Math.floor((event.clientX - box.left) / box.width * buckets)));
  };

  let pressed = null;
  area.addEventListener('pointerdown', event => {
    pressed = under(event);
    if (anchor === null) anchor = pressed;
    head = pressed;
    area.setPointerCapture(event.pointerId);
    show(anchor, head);
  });
  area.addEventListener('pointermove', event => {
    const place = under(event);
    if (anchor === null) show(place, place);
    else { head = place; show(anchor, head); }
  });
  area.addEventListener('pointerup', event => {
    const place = under(event);
    // A drag ends here; a first click waits for the second.
    if (place !== pressed || area.dataset.waiting) go();
    else area.dataset.waiting = '1';
    pressed = null;
  });
  area.addEventListener('pointerleave', () => { if (anchor === null) hide(); });
  area.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -buckets, End: +buckets, PageUp: -10, PageDown: 10 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      head = head === null ? last : Math.max(0, Math.min(last, head + step));
      if (!event.shiftKey || anchor === null) anchor = head;
      show(anchor, head);
      says.textContent = tip.textContent;
    } else if (event.key === 'Enter' && head !== null) {
      event.preventDefault();
      go();
    } else if (event.key === 'Escape' && head !== null) {
      event.stopPropagation();
      delete area.dataset.waiting;
      hide();
    }
  });
}
