// Proposals while a query is typed: fields, and values of the present result
// with their counts. The combobox pattern of the ARIA practices guide.
const box = document.getElementById('q');
const form = box.form;
const list = document.createElement('ul');
list.className = 'options';
list.id = 'q-options';
list.setAttribute('role', 'listbox');
list.setAttribute('aria-label', 'Proposals');
list.hidden = true;
form.append(list);
box.setAttribute('role', 'combobox');
box.setAttribute('aria-autocomplete', 'list');
box.setAttribute('aria-controls', list.id);
box.setAttribute('aria-expanded', 'false');

let items = [];
let replace = null;
let chosen = -1;
let timer = null;
let asked = 0;
const encode = new TextEncoder();
const decode = new TextDecoder();

function close() {
  list.hidden = true;
  chosen = -1;
  box.setAttribute('aria-expanded', 'false');
  box.removeAttribute('aria-activedescendant');
}

function choose(place) {
  list.children[chosen]?.setAttribute('aria-selected', 'false');
  chosen = place;
  const node = list.children[chosen];
  node?.setAttribute('aria-selected', 'true');
  node?.scrollIntoView({ block: 'nearest' });
  if (node) box.setAttribute('aria-activedescendant', node.id);
  else box.removeAttribute('aria-activedescendant');
}

function take(place) {
  const octets = encode.encode(box.value);
  const before = decode.decode(octets.slice(0, replace.start));
  const behind = decode.decode(octets.slice(replace.end));
  const text = items[place].insert;
  const gap = text.endsWith(':') || behind.startsWith(' ') ? '' : ' ';
  box.value = before + text + gap + behind;
  const caret = (before + text + gap).length;
  box.setSelectionRange(caret, caret);
  close();
  if (text.endsWith(':')) ask();
}

async function ask() {
  const mine = ++asked;
  const pairs = new URLSearchParams([...new FormData(form)].filter(([name]) => name !== 'was'));
  pairs.set('caret', encode.encode(box.value.slice(0, box.selectionStart)).length);
  try {
    const answer = await fetch(`/messages/complete?${pairs}`);
    if (!answer.ok || mine !== asked || document.activeElement !== box) return;
    ({ items, replace } = await answer.json());
  } catch { return; }
  if (!items.length) return close();
  list.replaceChildren(...items.map((item, place) => {
    const row = document.createElement('li');
    row.id = `q-option-${place}`;
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', 'false');
    const label = document.createElement('bdi');
    label.textContent = item.label;
    const help = document.createElement('span');
    help.className = 'muted clip';
    help.textContent = item.help;
    row.append(label, help);
    if (item.count !== null && item.count !== undefined) {
      const count = document.createElement('span');
      count.className = 'num';
      count.textContent = item.count;
      row.append(count);
    }
    row.addEventListener('pointerdown', event => { event.preventDefault(); take(place); });
    return row;
  }));
  chosen = -1;
  list.hidden = false;
  box.setAttribute('aria-expanded', 'true');
}

box.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(ask, 120); });
box.addEventListener('blur', close);
box.addEventListener('keydown', event => {
  if (event.key === 'ArrowDown' && list.hidden) { event.preventDefault(); ask(); return; }
  if (list.hidden) return;
  const last = items.length - 1;
  const moves = { ArrowDown: chosen >= last ? 0 : chosen + 1, ArrowUp: chosen <= 0 ? last : chosen - 1 };
  if (event.key in moves) { event.preventDefault(); choose(moves[event.key]); }
  else if ((event.key === 'Enter' || event.key === 'Tab') && chosen >= 0) { event.preventDefault(); take(chosen); }
  else if (event.key === 'Escape') { event.preventDefault(); event.stopPropagation(); close(); }
});
