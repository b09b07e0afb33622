// Menus are <details>: one at a time, closed by Escape or a click elsewhere.
const open = () => document.querySelectorAll('details.menu[open]');
document.addEventListener('click', event => {
  for (const menu of open()) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape') return;
  for (const menu of open()) { menu.open = false; menu.querySelector('summary').focus(); }
});

const rail = document.querySelector('[data-rail-toggle]');
if (rail) {
  rail.hidden = false;
  rail.addEventListener('click', () => {
    const narrow = document.documentElement.dataset.rail !== 'narrow';
    document.documentElement.dataset.rail = narrow ? 'narrow' : '';
    rail.setAttribute('aria-expanded', String(!narrow));
    document.cookie = `rail=${narrow ? 'narrow' : 'wide'}; Path=/; SameSite=Strict; Max-Age=31536000`;
  });
}

// Says something for a moment; screen readers hear it.
export function say(text) {
  const place = document.getElementById('toasts');
  const toast = document.createElement('div');
  toast.className = 'toast';
  toast.textContent = text;
  place.append(toast);
  setTimeout(() => toast.remove(), 5000);
}

// A button with data-copy puts that text, or the text of the element it names, on the clipboard.
document.addEventListener('click', async event => {
  const button = event.target.closest('[data-copy], [data-copy-from]');
  if (!button) return;
  const source = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = source ? source.textContent : new URL(button.dataset.copy, location.href).href;
  event.preventDefault();
  try { await navigator.clipboard.writeText(text); say(button.dataset.copied || 'Copied.'); }
  catch { window.prompt('Copy this text:', text); }
});
function reveal(root) {
  for (const button of root.querySelectorAll('button[data-copy][hidden], button[data-copy-from][hidden]')) button.hidden = false;
}
reveal(document);
document.addEventListener('panel', event => reveal(event.detail));
