// Says when there is no connection, and when something was refused.

import { say } from "./texts.js";

const SHOWN = { reconnecting: "reconnecting", offline: "offline", signedOut: "signedOut" };
const line = document.getElementById("connection");
const refusal = document.getElementById("refusal");

export function showState(state) {
  const name = SHOWN[state];
  line.hidden = !name;
  line.textContent = name ? say(name) : "";
}

const OWN_WORDS = { lost: "lost", not_connected: "notConnected", conversation_busy: "busy" };

export function showRefusal({ code, text }) {
  const own = OWN_WORDS[code];
  refusal.querySelector("p").textContent = own ? say(own) : text;
  refusal.hidden = false;
}

export function hideRefusal() {
  refusal.hidden = true;
}

refusal?.querySelector("button").addEventListener("click", hideRefusal);
