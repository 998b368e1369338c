// Copies a message as it was written, or a piece of code, and says so.

import { announce } from "./announcer.js";
import { say } from "./texts.js";

const SHOWN_MS = 2000;

export async function copy(button) {
  const isDone = await toClipboard(sourceOf(button));
  announce(say(isDone ? "copied" : "cannotCopy"));
  button.dataset.said = say(isDone ? "copied" : "cannotCopy");
  setTimeout(() => delete button.dataset.said, SHOWN_MS);
}

function sourceOf(button) {
  const code = button.closest(".md-code")?.querySelector("code");
  if (code) return code.textContent;
  const article = button.closest(".message");
  const source = article.querySelector("template.source");
  return source ? source.content.textContent : (article.querySelector(".said")?.textContent ?? "");
}

// Without TLS a browser has no clipboard for us, but an old way to it.
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedAsSelection(text);
  }
}

function copiedAsSelection(text) {
  const { activeElement } = document;
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  activeElement?.focus();
  return isDone;
}
