// `<button data-copy="id" data-copied data-select hidden>` copies the text of that element,
// and says so, or which keys do it.

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(source)) ? button.dataset.copied : button.dataset.select;
    setTimeout(() => (button.textContent = label), 4000);
  });
}

// Without TLS a browser has no clipboard for us: the text is selected at least.
async function copied(source) {
  getSelection().selectAllChildren(source);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    return true;
  } catch {
    return document.execCommand("copy");
  }
}
