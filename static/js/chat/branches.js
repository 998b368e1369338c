// Another branch without another page: the form's answer takes the thread's place.

import { showRefusal, whyNot } from "./connection.js";
import { csrf } from "./csrf.js";

export async function switchBranch(form, button, thread) {
  const body = new FormData(form, button);
  const answer = await fetch(form.action, { method: "POST", headers: csrf(), body }).catch(() => null);
  if (!answer?.ok) return showRefusal({ text: whyNot(answer?.status) });
  thread.show(await answer.text());
  const article = thread.article(button.value);
  const same = article?.querySelector(`[data-way="${button.dataset.way}"]:enabled`);
  (same ?? article)?.focus({ preventScroll: true });
}
