// The pages of the chat: what each of them has is wired here.

import "./dialogs.js";
import { copy } from "./copying.js";
import { showHelp, listenForShortcuts } from "./shortcuts.js";
import { toggleSidebar } from "./sidebar.js";
import { nextTheme } from "./theme.js";

const ACTIONS = { sidebar: toggleSidebar, theme: nextTheme, help: showHelp };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do], .md-code .copy");
  if (!button) return;
  if (button.matches(".copy") || button.dataset.do === "copy") copy(button);
  else ACTIONS[button.dataset.do]?.();
});

const chat = document.getElementById("chat");
const comparison = document.getElementById("compare");
let composer = null;
if (chat?.querySelector("#composer")) {
  composer = (await import("./chat.js")).start(chat);
} else if (comparison?.querySelector("#composer")) {
  composer = (await import("./compare.js")).start(comparison);
}
listenForShortcuts(composer);
