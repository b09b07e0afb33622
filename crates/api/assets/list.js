// The list: the panel beside it, rows by keyboard, what came since, selection.
import { bind } from './keys.js';
import { say } from './menus.js';
import { adoptPanel, openPanel, closePanel, panelOpen } from './panel.js';
import { figures } from './histogram.js';

const rows = [...document.querySelectorAll('.messages tbody tr')];
let at = -1;

figures();

function move(to, open) {
  if (to < 0 || to >= rows.length) return;
  rows[at]?.classList.remove('current');
  at = to;
  rows[at].classList.add('current');
  const link = rows[at].querySelector('a.open') ?? rows[at].querySelector('input');
  if (!panelOpen() || open === undefined) link.focus({ preventScroll: true });
  rows[at].scrollIntoView({ block: 'nearest' });
  if (open || panelOpen()) show(at, false);
}

const hrefOf = row => row.querySelector('.row-actions .item').getAttribute('href');

function show(place, focus) {
  at = place;
  openPanel(hrefOf(rows[place]), focus, () => opened(''));
}

// What is open is in the address, and in the links that are copied.
function opened(id) {
  for (const row of rows) row.toggleAttribute('aria-selected', false);
  rows.find(row => row.dataset.id === id)?.setAttribute('aria-selected', 'true');
  const address = text => {
    const bare = text.replace(/([?&])sel=[^&]*&?/, '$1').replace(/[?&]$/, '');
    return id ? `${bare}${bare.includes('?') ? '&' : '?'}sel=${id}` : bare;
  };
  history.replaceState(history.state, '', address(location.pathname + location.search));
  for (const link of document.querySelectorAll('[data-shared]')) {
    link.href = address(link.getAttribute('href'));
    link.dataset.copy = address(link.dataset.copy);
  }
  for (const link of document.querySelectorAll('#page-back, #page-next, #page-first')) link.href = address(link.getAttribute('href'));
}
document.addEventListener('panel', ({ detail }) => {
  const shown = detail.querySelector('[data-message]')?.dataset.message;
  if (shown) opened(shown.split('/').pop());
});
if (panelOpen()) {
  at = rows.findIndex(row => row.hasAttribute('aria-selected'));
  adoptPanel(() => opened(''));
}

for (const [place, row] of rows.entries()) {
  row.addEventListener('click', event => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest('input, label, .row-actions')) return;
    if (String(getSelection())) return;
    event.preventDefault();
    rows[at]?.classList.remove('current');
    show(place, event.detail === 0);
  });
  row.addEventListener('focusin', () => { at = place; });
}

const current = () => at >= 0 && rows[at];
bind('j', 'Next row', () => move(at + 1));
bind('k', 'Previous row', () => move(Math.max(at - 1, 0)));
bind('Enter', 'Open the row', () => current() ? show(at, true) : false);
bind('Space', 'Look at the row', () => current() ? show(at, false) : false);
bind('v', 'Verdict', () => current() ? open(`${hrefOf(rows[at]).replace('?', '/verdict?')}`, '_self') : false);
bind('l', 'Life-line', () => current() ? open(`${hrefOf(rows[at]).replace('?', '/life?')}`, '_self') : false);
const act = (name) => {
  const item = current() && rows[at].querySelector(`[data-act=${name}]`);
  return item ? item.click() : false;
};
// What cannot help says why.
const decide = (name, without) => () => {
  const instead = current() && rows[at].querySelector(without);
  return instead ? say(instead.textContent) : act(name);
};
bind('p', 'Permit for recipient', decide('permit', '[data-no-permit]'));
bind('b', 'Block for recipient', decide('block', '[data-no-block]'));
bind('.', 'Actions of the row', () => current() ? rows[at].querySelector('.row-actions summary').click() : false);
bind('x', 'Select the row', () => current() && pick(at, at));
bind('X', 'Select up to here', () => current() && pick(last, at));
bind('Escape', 'Close the panel', () => panelOpen() ? closePanel() : false);

// Selection
let last = 0;
const boxes = rows.map(row => row.querySelector('input'));
function pick(from, to) {
  const on = from === to ? !boxes[to].checked : true;
  for (let place = Math.min(from, to); place <= Math.max(from, to); place++) boxes[place].checked = on;
  last = to;
  chosen();
}
const compare = document.getElementById('compare');
const copy = document.getElementById('copy-rows');
function chosen() {
  const picked = rows.filter((_, place) => boxes[place].checked);
  document.getElementById('selected').textContent = picked.length ? `${picked.length} selected` : '';
  compare.disabled = picked.length !== 2;
  compare.title = compare.disabled ? 'Select two rows' : '';
  copy.hidden = !picked.length;
  for (const button of document.querySelectorAll('[data-bulk]')) button.disabled = !picked.length;
  return picked;
}
if (compare) {
  for (const [place, box] of boxes.entries()) box.addEventListener('change', () => { last = place; chosen(); });
  copy.addEventListener('click', async () => {
    const lines = chosen().map(row => [...row.querySelectorAll('td[data-name]')].map(cell => cell.innerText.replace(/\s+/g, ' ').trim()).concat(row.dataset.ref).join('\t'));
    await navigator.clipboard.writeText(lines.join('\n'));
    say(`${lines.length} rows copied.`);
  });
  chosen();
}

// A chip is edited where it stands in the query; its place is counted in octets.
const search = document.getElementById('q');
for (const button of document.querySelectorAll('.chip button.text'))
  button.addEventListener('click', () => {
    const octets = new TextEncoder().encode(search.value);
    const length = end => new TextDecoder().decode(octets.slice(0, end)).length;
    search.focus();
    search.setSelectionRange(length(+button.dataset.start), length(+button.dataset.end));
  });

// What came since, and a list that says so when it can no longer ask.
const newer = document.getElementById('newer');
const asOf = document.getElementById('as-of');
if (newer) {
  const shownAt = asOf.textContent.replace('up to date as of ', '');
  const stale = document.getElementById('stale');
  let asOfLast = shownAt;
  const SILENT = 'The gateway does not answer; trying again every 10 seconds.';
  const ENDED = 'Your sign-in has ended: sign in again, here or in another tab.';
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(`${newer.dataset.source}&since=${encodeURIComponent(newer.dataset.since)}`);
      // Who is signed in no longer is sent to the sign-in.
      if (answer.status === 401 || answer.redirected) throw new Error(ENDED);
      if (!answer.ok) throw new Error(SILENT);
      const { text, as_of } = await answer.json();
      newer.hidden = !text;
      newer.textContent = `${text}: show`;
      asOf.textContent = text ? `rows as of ${shownAt}` : `up to date as of ${as_of}`;
      asOfLast = as_of;
      stale.hidden = true;
    } catch (problem) {
      // The last good rows stay; when they were good is said where it is seen.
      const text = `Showing results from ${asOfLast}. ${problem.message === ENDED ? ENDED : SILENT}`;
      if (stale.textContent !== text) stale.textContent = text;
      stale.hidden = false;
      asOf.textContent = `showing results from ${asOfLast}, retrying`;
    }
  }, 10000);
}
