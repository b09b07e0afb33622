// Keeps the live indicator true while the page is open.
const pulse = document.getElementById('pulse');
async function beat() {
  if (document.hidden) return;
  try {
    const answer = await fetch('/console/pulse', { headers: { accept: 'application/json' } });
    if (answer.status === 403) return pulse.remove();
    if (!answer.ok) throw new Error(answer.status);
    const { state, text } = await answer.json();
    pulse.className = `pulse ${state}`;
    pulse.textContent = text;
    pulse.hidden = false;
  } catch {
    pulse.className = 'pulse none-now';
    pulse.textContent = 'no connection';
  }
}
if (pulse) {
  beat();
  setInterval(beat, 15000);
  document.addEventListener('visibilitychange', beat);
}
