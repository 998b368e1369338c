// The list of conversations at the side, or what was searched for, as it is read anew.

import { whyNot } from "./connection.js";

const library = document.getElementById("library");
const toast = document.getElementById("toast");
let isStale = false;
let isLoading = false;

// A menu would be shut by another list, and a title that is being typed would be lost.
const isInUse = () => library.querySelector("details[open], .chat-rename") !== null;

// What htmx has in its queue goes before a link that somebody presses then, and takes its place.
export function changed() {
  isStale = isLoading || isInUse();
  if (!isStale) document.body.dispatchEvent(new CustomEvent("chat:changed"));
}

function onceItIsLeft() {
  if (isStale && !isInUse()) changed();
}

const isOfLibrary = ({ detail }) => detail.target === library;
document.addEventListener("htmx:beforeSend", (event) => (isLoading ||= isOfLibrary(event)));
document.addEventListener("htmx:afterRequest", (event) => {
  if (!isOfLibrary(event)) return;
  isLoading = false;
  if (event.detail.xhr.status) onceItIsLeft(); // else it has made way for another
});

// From where it came: it may be another list by now than the page was made with.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt === library) detail.path = library.querySelector("[data-list]").dataset.list;
});

// It may have been taken into use while the other list was on its way.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.requestConfig.elt !== library || !isInUse()) return;
  detail.shouldSwap = false;
  isStale = true;
});

// Whoever has chosen from a row's menu, or undone that, goes on from that row, or close by.
document.addEventListener("htmx:afterOnLoad", ({ detail }) => {
  const place = detail.requestConfig.elt.closest(".chat-row, .toast");
  if (!place || place.isConnected || document.activeElement !== document.body) return;
  const row = document.getElementById(place.id.replace("conversation-", "menu-"));
  const undo = toast.querySelector("button");
  (row ?? undo ?? library.querySelector(".chat-row a") ?? library.querySelector("a"))?.focus();
});

function complain(status) {
  const line = document.createElement("p");
  line.className = "toast";
  line.textContent = whyNot(status);
  toast.replaceChildren(line);
}

document.addEventListener("htmx:responseError", ({ detail }) => complain(detail.xhr.status));
document.addEventListener("htmx:sendError", () => complain(0));

// What reads itself anew takes nobody away to sign in: what they do next says so.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { requestConfig, xhr } = event.detail;
  if (requestConfig.elt === library && xhr.getResponseHeader("HX-Redirect")) event.preventDefault();
});

library.addEventListener("toggle", onceItIsLeft, true);
library.addEventListener("htmx:afterSwap", onceItIsLeft);
