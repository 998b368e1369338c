// Another wording for what a person said, in its place; kept in the browser until it was sent.

import { draftOf, keepDraft } from "./drafts.js";

const template = document.getElementById("editor");

const keyOf = (article) => `edit:${article.dataset.uid}`;

export const isKept = (article) => draftOf(keyOf(article)) !== "";

// Calls `send(text)` with what was written, unless it was given up; that resolves once the words
// are elsewhere.
export function edit(article, send) {
  const said = article.querySelector(".said");
  if (article.querySelector(".editor")) return;
  const form = template.content.firstElementChild.cloneNode(true);
  const field = form.querySelector("textarea");
  const key = keyOf(article);
  const end = () => {
    form.remove();
    article.classList.remove("is-edited");
    article.querySelector('[data-do="edit"]').focus();
  };
  const giveUp = () => {
    keepDraft(key, "");
    end();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    end();
    await send(field.value);
    keepDraft(key, "");
  });
  field.addEventListener("input", () => keepDraft(key, field.value));
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) form.requestSubmit();
    else if (event.key === "Escape") giveUp();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  form.querySelector('[data-do="cancel-edit"]').addEventListener("click", giveUp);
  article.classList.add("is-edited");
  article.querySelector(".about").before(form);
  field.value = draftOf(key) || (said?.textContent ?? "");
  field.rows = Math.min(12, field.value.split("\n").length + 1);
  field.focus();
}
