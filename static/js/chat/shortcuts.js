// Keys for what is done often. None is a letter alone: those are for writing.

import { isDrawerOpen, showSidebar, toggleSidebar } from "./sidebar.js";
import { nextTheme } from "./theme.js";

const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

const WITH_CTRL = {
  k: () => {
    showSidebar();
    document.querySelector('#sidebar input[type="search"]')?.focus();
  },
  b: toggleSidebar,
  "/": showHelp,
  "shift+o": () => document.querySelector(".new-chat").click(),
  "shift+l": nextTheme,
};

export function showHelp() {
  const help = document.getElementById("help");
  if (!help.open) help.showModal();
}

// `composer` has `isRunning`, `focus` and `stop`.
export function listenForShortcuts(composer) {
  const actions = { ...WITH_CTRL, i: () => composer?.focus() };
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    const action = event.key === "Escape" ? escape(composer, event.target) : actions[named(event)];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function named(event) {
  const isHeld = isMac ? event.metaKey : event.ctrlKey;
  if (!isHeld || event.altKey) return "";
  return (event.shiftKey && event.key !== "/" ? "shift+" : "") + event.key.toLowerCase();
}

const OTHER_FIELDS = "input, select, textarea:not(#prompt)";

function escape(composer, target) {
  if (document.querySelector("dialog[open], details.menu[open]")) return null;
  if (isDrawerOpen()) return toggleSidebar;
  if (target.matches(OTHER_FIELDS)) return null;
  return composer?.isRunning ? () => composer.stop() : null;
}

if (isMac) for (const key of document.querySelectorAll("kbd.mod")) key.textContent = "⌘";
