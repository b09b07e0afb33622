// A file is put into the field for pasted text, where it can be looked at before it is sent.
for (const field of document.querySelectorAll('[data-file-for]')) {
  field.hidden = false;
  const text = document.getElementById(field.dataset.fileFor);
  field.querySelector('input').addEventListener('change', async (event) => {
    const [file] = event.target.files;
    if (file) text.value = await file.text();
  });
}
