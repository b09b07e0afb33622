// The details beside the list: the page of a message without its frame.
import { say } from './menus.js';

const panel = document.getElementById('panel');
let back = null;
let closed = null;
// Counts what was asked for: an answer that comes after something else was opened, or all was closed, is not shown.
let asked = 0;

export const panelOpen = () => panel && !panel.hidden;

export async function openPanel(href, focus, whenClosed) {
  const mine = ++asked;
  const before = document.activeElement;
  closed?.();
  closed = whenClosed;
  let text;
  const late = setTimeout(() => { if (mine === asked) showLoading(); }, 300);
  try {
    const answer = await fetch(`${href}${href.includes('?') ? '&' : '?'}panel=1`);
    if (!answer.ok) throw new Error(answer.status);
    text = await answer.text();
  } catch {
    clearTimeout(late);
    if (mine === asked) location.href = href;
    return;
  }
  clearTimeout(late);
  if (mine !== asked) return;
  if (!panelOpen() || !panel.contains(before)) back = before;
  panel.replaceChildren(...new DOMParser().parseFromString(text, 'text/html').body.childNodes);
  panel.removeAttribute('aria-busy');
  panel.hidden = false;
  panel.scrollTop = 0;
  document.getElementById('split').classList.add('with-panel');
  if (focus) panel.focus();
  const title = panel.querySelector('[data-title]')?.dataset.title;
  panel.setAttribute('aria-label', title || 'Details');
  document.dispatchEvent(new CustomEvent('panel', { detail: panel }));
}

// What was open stays to be read until the next is there.
function showLoading() {
  if (panel.hidden) {
    const text = document.createElement('p');
    text.className = 'muted';
    text.setAttribute('role', 'status');
    text.textContent = 'Loading …';
    panel.replaceChildren(text);
  }
  panel.setAttribute('aria-busy', 'true');
  panel.hidden = false;
  document.getElementById('split').classList.add('with-panel');
}

export function closePanel() {
  asked += 1;
  panel.removeAttribute('aria-busy');
  panel.hidden = true;
  panel.replaceChildren();
  document.getElementById('split').classList.remove('with-panel');
  closed?.();
  closed = null;
  back?.focus();
}

// A panel that came with the page.
export function adoptPanel(whenClosed) {
  closed = whenClosed;
}

panel?.addEventListener('click', event => {
  if (event.target.closest('[data-close-panel]')) {
    event.preventDefault();
    return closePanel();
  }
  const link = event.target.closest('a[data-panel]');
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const keep = closed;
  closed = null;
  openPanel(link.getAttribute('href').replace(/[?&]panel=1/, ''), true, keep);
});
