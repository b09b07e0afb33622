// The keyboard: one table, from which the help sheet is made, and whatever
// carries data-shortcut on the page or in its panel. Single keys do nothing in
// fields, and nothing at all when they are switched off in /me (WCAG 2.1.4).
const table = [];
let waiting = null;

// keys: 'j', 'g m' (one after the other), 'Enter'; run returns false to let the browser act.
export function bind(keys, help, run, group = 'This page') {
  table.push({ keys, help, run, group });
}

const search = document.querySelector('.bar input[type=search]');
bind('/', 'Search', () => { search?.focus(); search?.select(); }, 'Everywhere');
for (const link of document.querySelectorAll('.rail [data-key]'))
  bind(`g ${link.dataset.key}`, link.textContent.trim(), () => link.click(), 'Everywhere');
bind('L', 'Live tail', () => { location.href = '/messages/live'; }, 'Everywhere');
bind('?', 'This help', sheet, 'Everywhere');

// What is in a closed menu has its shortcut too.
const seen = node => node.checkVisibility() || node.closest('details.menu')?.checkVisibility();

// Elements with a shortcut of their own; those of an open panel come first.
function marked(key) {
  const found = [...document.querySelectorAll('[data-shortcut]')].filter(node => node.dataset.shortcut === key && seen(node));
  return found.find(node => node.closest('.panel')) ?? found[0];
}

const inField = node => node.closest?.('input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]');
document.addEventListener('keydown', event => {
  if ((event.ctrlKey || event.metaKey) && event.key === 'k') {
    event.preventDefault();
    search?.focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (document.documentElement.dataset.shortcuts === 'off' || inField(event.target)) return;
  if (document.querySelector('dialog[open]')) return;
  // Enter and Space on a control are that control's own.
  if (event.key === 'Enter' && event.target.closest('a, button, summary, input, select')) return;
  if (event.key === ' ' && event.target.closest('button, summary, input, select')) return;
  const typed = waiting ? `${waiting} ${event.key}` : event.key;
  const starts = table.some(({ keys }) => keys.startsWith(`${typed} `));
  waiting = null;
  const own = marked(typed);
  const found = table.find(({ keys }) => keys === typed || keys === 'Space' && typed === ' ');
  if (own && !found?.first) {
    event.preventDefault();
    own.click();
  } else if (found) {
    if (found.run(event) !== false) event.preventDefault();
  } else if (starts) {
    waiting = typed;
    setTimeout(() => { waiting = null; }, 1500);
  }
});

function row(keys, help) {
  const row = document.createElement('div');
  const term = document.createElement('dt');
  term.textContent = help;
  const value = document.createElement('dd');
  for (const key of keys.split(' ')) {
    const shown = document.createElement('kbd');
    shown.textContent = key;
    value.append(shown, ' ');
  }
  row.append(term, value);
  return row;
}

function sheet() {
  const dialog = document.getElementById('keys');
  const body = dialog.querySelector('.dialog-body');
  body.replaceChildren();
  const here = [...document.querySelectorAll('[data-shortcut]')]
    .filter(node => node.dataset.shortcut && seen(node))
    .map(node => ({ keys: node.dataset.shortcut, help: node.dataset.help || node.title || node.textContent.trim() || node.ariaLabel, group: 'This page' }));
  const all = [...table, ...here.filter(one => !table.some(({ keys }) => keys === one.keys))];
  for (const group of new Set(all.map(({ group }) => group))) {
    const title = document.createElement('h3');
    title.textContent = group;
    const list = document.createElement('dl');
    list.className = 'key-sheet';
    for (const { keys, help } of all.filter(one => one.group === group)) list.append(row(keys, help));
    body.append(title, list);
  }
  const note = document.createElement('p');
  note.className = 'hint';
  note.textContent = 'Single keys can be switched off under Preferences.';
  body.append(note);
  dialog.showModal();
}
for (const button of document.querySelectorAll('[data-keys]')) {
  button.hidden = false;
  button.addEventListener('click', sheet);
}
