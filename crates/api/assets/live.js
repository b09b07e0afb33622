// The live tail: rows from the stream of the API, at most five updates of the
// page a second, held back while it is paused or scrolled away from the top.
import { bind } from './keys.js';

const table = document.getElementById('live');
const body = table.tBodies[0];
const [state, pause, clear, freeze, reload, says] = ['state', 'pause', 'clear', 'freeze', 'reload', 'says'].map(name => document.getElementById(`live-${name}`));
const ROWS_MAX = 1000;
const columns = [...table.querySelectorAll('th')].map(th => ({ name: th.className.slice(2), label: th.textContent }));
const format = new Intl.DateTimeFormat('en-GB', { timeZone: document.documentElement.dataset.zone, day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const waiting = [];
const news = { new: 0, rejected: 0 };
let paused = false;
let oldest = new Date().toISOString();
let dropped = false;
let lost = false;

const word = text => text.charAt(0).toUpperCase() + text.slice(1);
// What each column shows: the first line, and a second.
const cells = {
  time: row => [format.format(new Date(row.time)).replace(',', '')],
  is: row => [word(row.outcome ?? row.state ?? 'step'), row.attempt > 1 && `attempt ${row.attempt}`],
  type: row => [row.label],
  from: row => [row.from === '' ? '<>' : row.from, row.header_from?.[0] !== row.from && row.header_from?.[0]],
  to: row => [row.to],
  info: row => [row.info],
  ip: row => [row.ip],
};

function cell({ name, label }, row) {
  const td = document.createElement('td');
  td.className = `c-${name}`;
  td.dataset.name = label;
  const [first, second] = cells[name]?.(row) ?? [];
  const one = document.createElement(name === 'time' ? 'a' : name === 'is' ? 'span' : 'bdi');
  one.className = name === 'is' ? `badge ${row.outcome ?? row.state ?? 'step'}` : name === 'time' ? 'open' : 'one';
  if (name === 'time') one.href = `/messages/${encodeURIComponent(row.id)}`;
  one.textContent = first || '–';
  td.append(one);
  if (second) {
    const two = document.createElement('bdi');
    two.className = 'second';
    two.textContent = second;
    td.append(two);
  }
  return td;
}

function show() {
  const held = paused || scrollY > 80;
  state.textContent = lost ? 'connection lost, trying again' : held ? `paused${waiting.length ? `, ${waiting.length} waiting` : ''}` : 'live';
  if (held || !waiting.length) return;
  document.getElementById('live-empty')?.remove();
  const rows = waiting.splice(0).map(row => {
    const tr = document.createElement('tr');
    tr.className = 'fresh';
    tr.append(...columns.map(column => cell(column, row)));
    return tr;
  });
  body.prepend(...rows.reverse());
  while (body.rows.length > ROWS_MAX) body.lastElementChild.remove();
}
setInterval(show, 200);
setInterval(() => {
  if (!news.new) return;
  says.textContent = `${news.new} new, ${news.rejected} rejected`;
  news.new = news.rejected = 0;
}, 10000);

let source;
function follow() {
  source = new EventSource(table.dataset.stream);
  source.addEventListener('attempt', event => {
    const row = JSON.parse(event.data);
    news.new++;
    if (row.outcome === 'rejected') news.rejected++;
    waiting.push(row);
    // Longer than the buffer nothing is kept; the list has it all.
    if (waiting.length > ROWS_MAX) { waiting.shift(); dropped = true; }
  });
  source.onopen = () => { lost = false; };
  source.onerror = () => { lost = true; show(); };
}
follow();

function toggle() {
  paused = !paused;
  pause.setAttribute('aria-pressed', String(paused));
  pause.textContent = paused ? 'Resume' : 'Pause';
  show();
}
pause.hidden = clear.hidden = false;
reload.hidden = true;
pause.addEventListener('click', toggle);
clear.addEventListener('click', () => { body.replaceChildren(); waiting.length = 0; dropped = false; oldest = new Date().toISOString(); });
freeze.addEventListener('click', event => {
  event.preventDefault();
  const first = body.querySelector('tr:last-child time')?.dateTime ?? oldest;
  location.href = freeze.dataset.frozen.replace('from=FROM', `from=${dropped ? oldest : first}`).replace('to=TO', `to=${new Date(Date.now() + 1000).toISOString()}`);
});
bind('Space', 'Pause and resume', toggle);
addEventListener('pagehide', () => source.close());
