/**
 * Texts of a page that have a time as programs write it, outside of what is code, and hints that have one. It runs in the page.
 */
export function rawTimes() {
  const time = /\d{4}-\d\d-\d\dT\d\d:\d\d/;
  const found = [...document.querySelectorAll('[title]')].map((node) => node.title).filter((title) => time.test(title));
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (time.test(node.textContent) && !node.parentElement.closest('pre, code, textarea, script, style')) found.push(node.textContent.trim());
  }
  return found;
}
