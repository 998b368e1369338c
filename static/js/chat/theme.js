// As the system, light, dark: one after the other. `js/theme.js` applies it before the paint.

import { announce } from "./announcer.js";
import { say } from "./texts.js";

const NEXT = { "": "light", light: "dark", dark: "" };
const NAMES = { "": "themeSystem", light: "themeLight", dark: "themeDark" };
const root = document.documentElement;

export function nextTheme() {
  const theme = NEXT[root.dataset.theme ?? ""];
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // It is not remembered then.
  }
  label();
  announce(say(NAMES[theme]));
}

function label() {
  const text = say(NAMES[root.dataset.theme ?? ""]);
  for (const button of document.querySelectorAll('[data-do="theme"]')) {
    button.setAttribute("aria-label", text);
    button.title = text;
  }
}

label();
