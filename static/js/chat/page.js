// The pages of the chat: what each of them has is wired here.

import "./accessible.js";
import "./dialogs.js";
import { start as startChat } from "./chat.js";
import { start as startComparison } from "./compare.js";
import { copy } from "./copying.js";
import { showHelp, listenForShortcuts } from "./shortcuts.js";
import { toggleSidebar } from "./sidebar.js";
import { nextTheme } from "./theme.js";
import "./timezone.js";

const ACTIONS = { sidebar: toggleSidebar, theme: nextTheme, help: showHelp };

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do], .md-code .copy");
  if (!button) return;
  if (button.matches(".copy") || button.dataset.do === "copy") copy(button);
  else ACTIONS[button.dataset.do]?.();
});

const STARTS = { chat: startChat, compare: startComparison };
const root = document.getElementById("composer")?.closest("#chat, #compare");
listenForShortcuts(root && STARTS[root.id](root));
