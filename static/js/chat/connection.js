// Says when there is no connection, and when something was refused.

import { say } from "./texts.js";

const SHOWN = { reconnecting: "reconnecting", offline: "offline", signedOut: "signedOut" };
const line = document.getElementById("connection");
const refusal = document.getElementById("refusal");

export function showState(state) {
  const name = SHOWN[state];
  line.hidden = !name;
  line.textContent = name ? say(name) : "";
  if (!name && refusal.dataset.code === "not_connected") hideRefusal();
}

const OWN_WORDS = { lost: "lost", not_connected: "notConnected", conversation_busy: "busy" };
const OF_STATUS = { 0: "unreachable", 401: "signedOut", 404: "gone" };

// Why a request came to nothing, by the status of its answer; 0 if there was none.
export const whyNot = (status) => say(OF_STATUS[status] ?? "serverFailed");

export function showRefusal({ code, text }) {
  const own = OWN_WORDS[code];
  refusal.querySelector("p").textContent = own ? say(own) : text;
  refusal.dataset.code = code ?? "";
  refusal.hidden = false;
}

export function hideRefusal() {
  refusal.hidden = true;
}

refusal?.querySelector("button").addEventListener("click", hideRefusal);

// The `accepted` frame, or null and a word why not; `onLost` if nobody knows.
export async function ask(socket, frame, onLost = () => {}) {
  hideRefusal();
  try {
    return await socket.request(frame);
  } catch (refused) {
    if (!refused.code) throw refused;
    if (refused.code === "lost") onLost();
    showRefusal(refused);
    return null;
  }
}
