// Another branch without another page: the form's answer takes the thread's place.

import { showRefusal, whyNot } from "./connection.js";
import { posted } from "./posting.js";

export function listenForBranches(root, thread) {
  root.addEventListener("submit", (event) => {
    if (!event.target.matches(".branches")) return;
    event.preventDefault();
    switchBranch(event.target, event.submitter, thread);
  });
}

async function switchBranch(form, button, thread) {
  const answer = await posted(form.action, new FormData(form, button));
  if (!answer.ok) return showRefusal({ text: whyNot(answer.status) });
  thread.show(await answer.text());
  const article = thread.article(button.value);
  const same = article?.querySelector(`[data-way="${button.dataset.way}"]:enabled`);
  (same ?? article)?.focus({ preventScroll: true });
}
