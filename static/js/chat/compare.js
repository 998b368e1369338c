// One prompt to two models: two conversations over the same socket, side by side.

import { Attachments } from "./attachments.js";
import { listenForBranches } from "./branches.js";
import { Composer } from "./composer.js";
import { ask, LOST, showRefusal, showState } from "./connection.js";
import { addressOf, dashed } from "./ids.js";
import { changed } from "./library.js";
import { Outbox } from "./outbox.js";
import { Settings } from "./settings.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";

class Side {
  constructor(root, socket, settings) {
    this.root = root;
    this.socket = socket;
    this.settings = settings;
    this.model = root.querySelector(".model");
    this.thread = new Thread(root.querySelector(".thread"), root.dataset.conversation);
    socket.addEventListener("frame", ({ detail }) => this.thread.take(detail));
    this.thread.addEventListener("behind", () => socket.send(this.thread.resume));
    root.addEventListener("click", (event) => this.#clicked(event));
    listenForBranches(root, this.thread);
    if (this.thread.conversation) settings.add(this.thread.conversation);
  }

  async connected(state) {
    if (!this.thread.conversation) return;
    if (state === "reopened") await this.thread.refresh();
    this.socket.send(this.thread.resume);
  }

  send(question, text, attachments) {
    const { conversation, last: parent } = this.thread;
    const more = conversation ? { conversation, parent } : this.settings.values;
    return this.#ask({ type: "send", question, text, attachments, model: this.model.value, ...more });
  }

  stop() {
    const message = this.thread.running?.dataset.uid;
    if (message) this.socket.insist({ type: "stop", message });
  }

  async #ask(frame) {
    const { outcome, accepted } = await ask(this.socket, frame);
    if (accepted && !this.thread.conversation) this.#opened(accepted);
    return outcome;
  }

  #opened(accepted) {
    const { conversation } = accepted;
    this.thread.conversation = this.root.dataset.conversation = conversation;
    const link = this.root.querySelector(".go-on");
    link.href = addressOf(conversation);
    link.hidden = false;
    remember(this.root.dataset.side, conversation);
    this.settings.add(conversation);
    this.thread.take(accepted);
    changed();
  }

  #clicked({ target }) {
    const action = target.closest("[data-do]")?.dataset.do;
    const message = target.closest(".message")?.dataset.uid;
    if (action === "again") this.#ask({ type: "regenerate", message, model: this.model.value });
    if (action === "continue") this.#ask({ type: "continue", message });
  }
}

// So that loading the page again shows the same.
function remember(side, conversation) {
  const address = new URL(location.href);
  address.searchParams.set(side, dashed(conversation));
  history.replaceState(null, "", address);
}

// Sent once more, as after a connection that broke, it reaches those that have not accepted it.
function whole(outcomes) {
  const same = outcomes.every((outcome) => outcome === outcomes[0]);
  return same ? outcomes[0] : LOST;
}

export function start(root) {
  const socket = new Socket();
  const composer = new Composer(root.querySelector("#composer"), "compare");
  const settings = new Settings();
  const roots = [...root.querySelectorAll("[data-side]")];
  const sides = roots.map((side) => new Side(side, socket, settings));
  const form = root.querySelector("#composer");
  const attachments = new Attachments(form, "compare", (text) => showRefusal({ text }), sides.length);
  const deliver = async (text, files, ids) => {
    const copies = (index) => files.map((uids) => uids[index]);
    const asked = sides.map((side, index) => side.send(ids[index], text, copies(index)));
    return whole(await Promise.all(asked));
  };
  const outbox = new Outbox(composer, attachments, deliver, sides.length);
  const stop = () => sides.forEach((side) => side.stop());
  const showRunning = () => (composer.isRunning = sides.some((side) => side.thread.running));

  form.querySelector('[data-do="settings"]').addEventListener("click", () => settings.open());
  composer.addEventListener("stop", stop);
  for (const { thread } of sides) thread.addEventListener("running", showRunning);
  socket.addEventListener("state", async ({ detail }) => {
    showState(detail);
    if (!socket.isOpen) return;
    await Promise.all(sides.map((side) => side.connected(detail)));
    if (detail === "reopened") outbox.sendAgain();
  });
  socket.addEventListener("frame", ({ detail }) => detail.type === "title" && changed());
  showRunning();
  return { get isRunning() { return composer.isRunning; }, focus: () => composer.focus(), stop };
}
