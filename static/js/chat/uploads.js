// Files on the server that belong to no message yet.

import { whyNot } from "./connection.js";
import { csrf } from "./csrf.js";
import { hex } from "./ids.js";
import { posted } from "./posting.js";
import { say } from "./texts.js";

export const forget = (uid) => fetch(`/attachments/${uid}/`, { method: "DELETE", headers: csrf() });

// What the server knows of all of this person's, by their ids; null if it does not say.
export async function unsent() {
  const answer = await fetch("/attachments/").catch(() => null);
  const said = answer?.ok ? await answer.json().catch(() => null) : null;
  return said && new Map(said.attachments.map((facts) => [hex(facts.uid), facts]));
}

// What the server knows of it now, or why it does not take it.
export async function sent(file) {
  const body = new FormData();
  body.append("file", file);
  body.append("model", document.querySelector("select.model").value); // whose tokens are counted
  const answer = await posted("/attachments/", body);
  if (answer.status === 401) return { refusal: whyNot(401) };
  const said = await answer.json?.().catch(() => null);
  if (answer.ok && said) return { facts: said };
  return { refusal: said?.error?.message ?? say("uploadFailed", { name: file.name }) };
}
