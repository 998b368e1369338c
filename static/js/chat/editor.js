// Another wording for what a person said, in its place; kept in the browser until it has arrived.

import { ACCEPTED, LOST } from "./connection.js";
import { draftOf, keepDraft, keepLeaving, leavingOf } from "./drafts.js";
import { isShown, newId } from "./ids.js";

const template = document.getElementById("editor");
const lost = new Set(); // keys of what was sent from here, and nobody knows whether it has arrived

const keyOf = (article) => `edit:${article.dataset.uid}`;

function forget(key) {
  keepDraft(key, "");
  keepLeaving(key, null);
}

export function isKept(article) {
  const key = keyOf(article);
  if (leavingOf(key)?.ids.every(isShown)) forget(key);
  return draftOf(key) !== "";
}

// What was lost on the way and has arrived all the same is not to be written once more.
export function forgetArrived() {
  for (const key of lost) if (leavingOf(key)?.ids.every(isShown)) arrive(key, ACCEPTED);
}

// What was lost on the way, unless somebody has changed it since.
export function sendAgain(article) {
  const form = article.querySelector(".editor");
  const key = keyOf(article);
  if (form && lost.has(key) && leavingOf(key)?.text === form.querySelector("textarea").value) form.requestSubmit();
}

// With the same id as before, if these are the words that may have arrived.
function leave(key, text) {
  const before = leavingOf(key);
  const leaving = before?.text === text ? before : { text, ids: [newId()] };
  keepDraft(key, text);
  keepLeaving(key, leaving);
  return leaving.ids[0];
}

function arrive(key, outcome) {
  if (outcome === LOST) lost.add(key);
  else lost.delete(key);
  if (outcome === ACCEPTED) forget(key);
  else if (outcome !== LOST) keepLeaving(key, null);
}

// Calls `send(text, id)` with what was written, unless it was given up; that resolves to what
// became of it.
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
    forget(key);
    end();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = field.value;
    if (!text.trim()) return;
    const id = leave(key, text);
    end();
    arrive(key, await send(text, id));
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
