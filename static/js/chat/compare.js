// One prompt to two models: two conversations over the same socket, side by side.

import { Composer } from "./composer.js";
import { ask, showState } from "./connection.js";
import { addressOf, dashed } from "./ids.js";
import { changed } from "./sidebar.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";

class Side {
  constructor(root, socket) {
    this.root = root;
    this.socket = socket;
    this.model = root.querySelector(".model");
    this.thread = new Thread(root.querySelector(".thread"), root.dataset.conversation);
    socket.addEventListener("frame", ({ detail }) => this.thread.take(detail));
    root.addEventListener("click", (event) => this.#clicked(event));
  }

  async connected(state) {
    if (!this.thread.conversation) return;
    if (state === "reopened") await this.thread.refresh();
    this.socket.send(this.thread.resume);
  }

  send(text) {
    const { conversation } = this.thread;
    const where = conversation ? { conversation } : {};
    return this.#ask({ type: "send", text, model: this.model.value, ...where });
  }

  stop() {
    const message = this.thread.running?.dataset.uid;
    if (message) this.socket.send({ type: "stop", message });
  }

  async #ask(frame) {
    const accepted = await ask(this.socket, frame);
    if (accepted && !this.thread.conversation) this.#opened(accepted);
    return accepted;
  }

  #opened(accepted) {
    const { conversation } = accepted;
    this.thread.conversation = this.root.dataset.conversation = conversation;
    const link = this.root.querySelector(".go-on");
    link.href = addressOf(conversation);
    link.hidden = false;
    remember(this.root.dataset.side, conversation);
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

export function start(root) {
  const socket = new Socket();
  const composer = new Composer(root.querySelector("#composer"), "compare");
  const sides = [...root.querySelectorAll("[data-side]")].map((side) => new Side(side, socket));
  const stop = () => sides.forEach((side) => side.stop());
  const showRunning = () => (composer.isRunning = sides.some((side) => side.thread.running));

  composer.addEventListener("send", async () => {
    const text = composer.text;
    if (!text.trim() || composer.isRunning) return;
    composer.text = "";
    const accepted = await Promise.all(sides.map((side) => side.send(text)));
    if (!accepted.some(Boolean)) composer.giveBack(text);
  });
  composer.addEventListener("stop", stop);
  for (const { thread } of sides) thread.addEventListener("running", showRunning);
  socket.addEventListener("state", ({ detail }) => {
    showState(detail);
    if (socket.isOpen) sides.forEach((side) => side.connected(detail));
  });
  showRunning();
  return { get isRunning() { return composer.isRunning; }, focus: () => composer.focus(), stop };
}
