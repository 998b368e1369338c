// One conversation: the composer, the thread and the socket between them.

import { Actions } from "./actions.js";
import { Attachments } from "./attachments.js";
import { listenForBranches } from "./branches.js";
import { Composer } from "./composer.js";
import { ACCEPTED, ask, showRefusal, showState } from "./connection.js";
import { addressOf } from "./ids.js";
import { changed } from "./library.js";
import { Outbox } from "./outbox.js";
import { toEnd } from "./scroll.js";
import { Settings } from "./settings.js";
import { Socket } from "./socket.js";
import { Thread } from "./thread.js";
import { entitle, shownTitle, titleOf } from "./title.js";

const ON_TOUCH = matchMedia("(hover: none)");

class Chat {
  constructor(root) {
    this.root = root;
    this.model = root.querySelector("#model");
    this.share = document.getElementById("share");
    this.thread = new Thread(root.querySelector(".thread"), root.dataset.conversation);
    this.composer = new Composer(root.querySelector("#composer"), this.thread.conversation || "new");
    this.attachments = new Attachments(
      root.querySelector("#composer"), this.thread.conversation || "new", (text) => showRefusal({ text }),
    );
    this.settings = new Settings();
    this.socket = new Socket();
    this.outbox = new Outbox(this.composer, this.attachments, (...sent) => this.#send(...sent));
    this.composer.isRunning = this.thread.running !== null;
    this.#listen();
    if (this.thread.conversation && !location.hash) toEnd();
  }

  get isRunning() {
    return this.composer.isRunning;
  }

  focus() {
    this.composer.focus();
  }

  stop() {
    const message = this.thread.running?.dataset.uid;
    if (message) this.socket.insist({ type: "stop", message });
  }

  #listen() {
    const { composer, thread, socket } = this;
    const actions = (this.actions = new Actions(this, (frame) => this.#ask(frame)));
    composer.addEventListener("stop", () => this.stop());
    composer.addEventListener("edit-last", () => actions.editLast());
    thread.addEventListener("running", ({ detail }) => this.#runs(detail));
    thread.addEventListener("behind", () => socket.send(thread.resume));
    thread.addEventListener("title", ({ detail }) => entitle(detail));
    socket.addEventListener("frame", ({ detail }) => this.#take(detail));
    socket.addEventListener("state", ({ detail }) => this.#connected(detail));
    thread.addEventListener("running", () => actions.reopen());
    actions.reopen();
    listenForBranches(this.root, thread);
  }

  #runs(isRunning) {
    this.composer.isRunning = isRunning;
    if (this.thread.last) this.root.classList.remove("is-new");
    this.share.hidden = false;
  }

  #take(frame) {
    const isKnown = frame.title === shownTitle() && frame.conversation === this.thread.conversation;
    this.thread.take(frame);
    if (frame.type === "title" && !isKnown) changed(); // also another conversation's
  }

  async #connected(state) {
    showState(state);
    if (!this.socket.isOpen) return;
    if (this.thread.conversation) {
      if (state === "reopened") await this.thread.refresh();
      this.socket.send(this.thread.resume);
    }
    if (state !== "reopened") return;
    this.outbox.sendAgain();
    this.actions.sendAgain();
  }

  async #send(text, files, [question]) {
    const { thread } = this;
    const attachments = files.map(([uid]) => uid);
    const frame = { type: "send", question, text, attachments, model: this.model.value };
    const { conversation, last: parent } = thread;
    const more = conversation ? { conversation, parent } : this.settings.values;
    const isFirst = !thread.root.querySelector(".turn");
    const outcome = await this.#ask({ ...frame, ...more });
    if (outcome === ACCEPTED && isFirst) entitle(titleOf(text));
    return outcome;
  }

  // What became of it; if it was not accepted, why is on the page.
  async #ask(frame) {
    const { outcome, accepted } = await ask(this.socket, frame);
    if (!accepted) return outcome;
    if (!this.thread.conversation) this.#opened(accepted);
    toEnd();
    // The button that was pressed has made room for the answer.
    if (document.activeElement === document.body) this.thread.running?.focus();
    changed();
    return outcome;
  }

  // The new conversation has its first message, and with it an address.
  #opened(accepted) {
    const { conversation } = accepted;
    this.thread.conversation = this.root.dataset.conversation = conversation;
    this.composer.key = this.attachments.key = conversation;
    this.settings.add(conversation);
    history.pushState(null, "", addressOf(conversation));
    this.share.href = `${addressOf(conversation)}share/`;
    this.thread.take(accepted);
  }
}

export function start(root) {
  const chat = new Chat(root);
  const pathOf = () => root.dataset.conversation && addressOf(root.dataset.conversation);
  // Back from the conversation that this page has become; citations change the hash only.
  addEventListener("popstate", () => location.pathname === (pathOf() || "/") || location.reload());
  if (!ON_TOUCH.matches) chat.focus();
  return chat;
}
