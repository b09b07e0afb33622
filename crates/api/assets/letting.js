// The preview follows the choice: what the button Preview does, without loading the page anew.
const form = document.getElementById('letting');
const preview = document.getElementById('preview');
document.getElementById('preview-button').hidden = true;
let asked = 0;

async function show() {
  const mine = ++asked;
  const chosen = new URLSearchParams(new FormData(form));
  chosen.set('do', 'preview');
  const answer = await fetch(form.action, { method: 'POST', body: chosen }).catch(() => null);
  if (!answer?.ok || mine !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  preview.replaceChildren(...page.getElementById('preview').childNodes);
}

form.addEventListener('change', show);
// What is typed is meant; who only passes through with the keyboard has chosen nothing.
form.elements.other.addEventListener('input', () => { form.querySelector('[value=other]').checked = true; });
