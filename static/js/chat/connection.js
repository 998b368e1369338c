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

const OWN_WORDS = { lost: "lost", unreachable: "unreachable", not_connected: "notConnected", conversation_busy: "busy" };
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

export const ACCEPTED = "accepted";
export const REFUSED = "refused";
export const LOST = "lost"; // nobody knows whether it has arrived

// What became of a frame, and the `accepted` one if it was; else the page says why not.
export async function ask(socket, frame) {
  hideRefusal();
  try {
    return { outcome: ACCEPTED, accepted: await socket.request(frame) };
  } catch (refused) {
    if (!refused.code) throw refused;
    const outcome = refused.code === "lost" ? LOST : REFUSED;
    // What has no id is not sent once more by itself.
    showRefusal(outcome === LOST && !frame.question ? { code: "unreachable" } : refused);
    return { outcome, accepted: null };
  }
}
