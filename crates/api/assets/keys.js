// The keyboard: one table, from which the help sheet is made. Single keys do
// nothing in fields, and nothing at all when they are switched off in /me
// (WCAG 2.1.4). Pages add their own with `bind`.
const table = [];
let waiting = null;

// keys: 'j', 'g m' (one after the other) or 'Enter'; run returns false to let the browser act.
export function bind(keys, help, run, group = 'This page') {
  table.push({ keys, help, run, group });
}

const go = path => () => { location.href = path; };
const search = document.querySelector('.bar input[type=search]');
bind('/', 'Search', () => { search?.focus(); search?.select(); }, 'Everywhere');
for (const link of document.querySelectorAll('.rail [data-key]'))
  bind(`g ${link.dataset.key}`, `Go to ${link.textContent.trim()}`, go(link.getAttribute('href')), 'Everywhere');
bind('L', 'Live tail', go('/messages/live'), 'Everywhere');
bind('?', 'This help', sheet, 'Everywhere');

const inField = node => node.closest?.('input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]');
document.addEventListener('keydown', event => {
  if (event.ctrlKey && event.key === 'k' || event.metaKey && event.key === 'k') {
    event.preventDefault();
    search?.focus();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.documentElement.dataset.shortcuts === 'off' || inField(event.target)) return;
  if (document.querySelector('dialog[open]')) return;
  const typed = waiting ? `${waiting} ${event.key}` : event.key;
  const starts = table.some(({ keys }) => keys.startsWith(`${typed} `));
  waiting = null;
  const found = table.find(({ keys }) => keys === typed);
  if (found) {
    // Enter and Space on a link or button are that link's own.
    if (/^(Enter| )$/.test(event.key) && event.target.closest('a, button, summary, input')) return;
    if (found.run(event) !== false) event.preventDefault();
  } else if (starts) {
    waiting = typed;
    setTimeout(() => { waiting = null; }, 1500);
  }
});

function sheet() {
  const dialog = document.getElementById('keys');
  const body = dialog.querySelector('.dialog-body');
  body.replaceChildren();
  for (const group of new Set(table.map(({ group }) => group))) {
    const title = document.createElement('h3');
    title.textContent = group;
    const list = document.createElement('dl');
    list.className = 'key-sheet';
    for (const { keys, help } of table.filter(row => row.group === group)) {
      const row = document.createElement('div');
      const term = document.createElement('dt');
      term.textContent = help;
      const value = document.createElement('dd');
      for (const key of keys.split(' ')) {
        const shown = document.createElement('kbd');
        shown.textContent = { '': 'Space' }[key] ?? key;
        value.append(shown, ' ');
      }
      row.append(term, value);
      list.append(row);
    }
    body.append(title, list);
  }
  dialog.showModal();
}
for (const button of document.querySelectorAll('[data-keys]')) {
  button.hidden = false;
  button.addEventListener('click', sheet);
}
