// Sheets close by their button, and by a click beside them; Escape is the browser's.

for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest('[data-do="close"]')) dialog.close();
  });
}
