// The tab of the page that is shown stands where it is seen, in a bar that is wider than a phone. Without script the bar has
// more than one line instead.
function show(tabs) {
  const tab = tabs.querySelector('[aria-current]');
  if (!tab || tabs.scrollWidth <= tabs.clientWidth) return;
  const [bar, at] = [tabs, tab].map(node => node.getBoundingClientRect());
  // From the middle to the middle; the bar itself stops at its ends, whichever way it runs.
  tabs.scrollLeft += (at.left + at.right - bar.left - bar.right) / 2;
}

export const showTabs = root => root.querySelectorAll('.tabs').forEach(show);

document.addEventListener('panel', ({ detail }) => showTabs(detail));
addEventListener('resize', () => showTabs(document));
showTabs(document);
