// `<button data-copy="id" hidden>` copies the text of that element, and says so.

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  button.hidden = false;
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    button.textContent = (await copied(source)) ? "Copied" : "Press Ctrl+C or ⌘C";
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
