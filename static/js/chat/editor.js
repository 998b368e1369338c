// Another wording for what a person said, in its place.

const template = document.getElementById("editor");

// Calls `send(text)` with what was written, unless it was given up.
export function edit(article, send) {
  const said = article.querySelector(".said");
  if (article.querySelector(".editor")) return;
  const form = template.content.firstElementChild.cloneNode(true);
  const field = form.querySelector("textarea");
  const end = () => {
    form.remove();
    article.classList.remove("is-edited");
    article.querySelector('[data-do="edit"]').focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    end();
    send(field.value);
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) form.requestSubmit();
    else if (event.key === "Escape") end();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  form.querySelector('[data-do="cancel-edit"]').addEventListener("click", end);
  article.classList.add("is-edited");
  article.querySelector(".about").before(form);
  field.value = said?.textContent ?? "";
  field.rows = Math.min(12, field.value.split("\n").length + 1);
  field.focus();
}
