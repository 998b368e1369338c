// How full the model's context is, and which messages it has no room for.

import { say } from "./texts.js";

export function showUsage(frame) {
  const gauge = document.getElementById("gauge");
  if (!gauge || !frame.context_length) return;
  const used = frame.prompt_tokens + frame.completion_tokens;
  const share = Math.min(100, Math.round((100 * used) / frame.context_length));
  gauge.hidden = false;
  gauge.setAttribute("aria-valuemax", frame.context_length);
  gauge.setAttribute("aria-valuenow", used);
  gauge.querySelector(".gauge-used").setAttribute("stroke-dasharray", `${share} 100`);
  gauge.querySelector(".gauge-words").textContent = say("gauge", { used, all: frame.context_length });
}

export function markUnseen(thread, uids) {
  const unseen = new Set(uids);
  thread.querySelector(".unseen-above")?.remove();
  let last = null;
  for (const article of thread.querySelectorAll(".message")) {
    const isUnseen = unseen.has(article.dataset.uid);
    article.classList.toggle("is-unseen", isUnseen);
    if (isUnseen) last = article;
  }
  if (!last) return;
  const mark = document.createElement("p");
  mark.className = "unseen-above";
  mark.textContent = say("unseen");
  last.after(mark);
}
