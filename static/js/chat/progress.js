// What is known of an answer before its first word, in words and as a bar.

import { say } from "./texts.js";

export function showProgress(article, frame) {
  const [words, share] = told(frame);
  const bar = article.querySelector(".waiting progress");
  if (!bar) return;
  article.querySelector(".waiting .words").textContent = words;
  bar.hidden = share === null;
  bar.value = share ?? 0;
}

function told(frame) {
  switch (frame.type) {
    case "queued":
      return [say(frame.eta === null ? "queued" : "queuedFor", queue(frame)), null];
    case "loading":
      return [say("loading", { percent: Math.round(frame.progress * 100) }), frame.progress];
    case "prefill":
      return [say("prefill", frame), frame.total ? frame.done / frame.total : null];
    default:
      return [say("writing"), null];
  }
}

const queue = ({ position, eta }) => ({ position, eta: Math.ceil(eta ?? 0) });
