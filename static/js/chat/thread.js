// One conversation on the page: what the socket tells becomes elements, each changed alone.

import { announce } from "./announcer.js";
import { markUnseen, showUsage } from "./gauge.js";
import { addressOf } from "./ids.js";
import { showProgress } from "./progress.js";
import { say } from "./texts.js";

export class Thread extends EventTarget {
  constructor(root, conversation) {
    super();
    this.root = root;
    this.conversation = conversation; // hexadecimal, or empty before the first message
  }

  get running() {
    return this.root.querySelector('.message[data-status="running"]');
  }

  // By a person.
  get lastSaid() {
    return [...this.root.querySelectorAll(".said")].at(-1)?.textContent ?? "";
  }

  // What to ask of a socket that has just opened.
  get resume() {
    const { uid: message, seq = 0, reasoningSeq = 0 } = this.running?.dataset ?? {};
    const since = message && { message, seq: +seq, reasoning_seq: +reasoningSeq };
    return { type: "resume", conversation: this.conversation, ...since };
  }

  take(frame) {
    if (frame.conversation !== this.conversation) return;
    if (frame.type === "accepted") this.#begin(frame);
    else if (frame.type === "title") this.#emit("title", frame.title);
    const article = frame.message && this.article(frame.message);
    if (article) this.#change(article, frame);
  }

  article(uid) {
    return this.root.querySelector(`#message-${uid}`);
  }

  // The turn stands in the place of whatever followed its parent.
  #begin(frame) {
    const turn = parsed(frame.html).querySelector(".turn");
    if (!turn || !this.#cutAfter(turn.dataset.parent)) return this.refresh();
    this.root.append(turn);
    announce(say("began"));
    this.#emit("running", true);
  }

  #cutAfter(parent) {
    const last = parent ? this.article(parent)?.closest(".turn") : null;
    if (parent && !last) return false;
    while (this.root.lastElementChild !== last) this.root.lastElementChild.remove();
    return true;
  }

  #change(article, frame) {
    switch (frame.type) {
      case "queued":
      case "loading":
      case "prefill":
        return showProgress(article, frame);
      case "reasoning":
        article.querySelector(".thinking").hidden = false;
        return showProgress(article, frame);
      case "delta":
        return showProgress(article, frame);
      case "cut": // the server had not kept what came last
        article.dataset.seq = frame.seq;
        article.dataset.reasoningSeq = frame.reasoning_seq;
        return;
      case "block":
        return showBlock(article, frame);
      case "usage":
        showUsage(frame);
        return markUnseen(this.root, frame.unseen);
      case "done":
        return this.#end(article, frame);
    }
  }

  #end(article, frame) {
    const whole = parsed(frame.html).querySelector(".message");
    if (!whole) return this.refresh(); // too large for a frame
    replace(article, whole);
    announce(say(frame.status));
    this.#emit("running", false);
  }

  // The page as the server has it now, where it differs from what is shown.
  async refresh() {
    const answer = await fetch(addressOf(this.conversation)).catch(() => null);
    if (answer?.ok && !answer.redirected) this.show(await answer.text());
  }

  show(html) {
    const page = parsed(html);
    const there = page.querySelector(".thread");
    if (there && signature(there) !== signature(this.root)) {
      this.root.replaceChildren(...there.children);
      document.getElementById("gauge")?.replaceWith(page.getElementById("gauge"));
    }
    this.#emit("running", this.running !== null);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function showBlock(article, { part, index, html, seq }) {
  const blocks = article.querySelector(`.blocks[data-part="${part}"]`);
  let block = blocks?.querySelector(`:scope > [data-index="${index}"]`);
  if (!blocks) return;
  if (!block) {
    block = document.createElement("div");
    block.className = "block";
    block.dataset.index = index;
    blocks.append(block);
  }
  if (block.innerHTML !== html) block.innerHTML = html;
  // Text is told before it is shown: after a break, what was not shown has to come again.
  if (seq !== undefined) article.dataset[part === "text" ? "seq" : "reasoningSeq"] = seq;
}

// What was unfolded stays so, and whoever was there by keyboard is still there.
function replace(article, whole) {
  const hadFocus = article.contains(document.activeElement);
  if (article.querySelector(".thinking")?.open) whole.querySelector(".thinking").open = true;
  article.replaceWith(whole);
  if (hadFocus) whole.focus({ preventScroll: true });
}

const parsed = (html) => new DOMParser().parseFromString(html ?? "", "text/html");

const signature = (thread) =>
  [...thread.querySelectorAll(".message")]
    .map(({ dataset: { uid, status } }) => `${uid} ${status}`)
    .join();
