// One conversation on the page: what the socket tells becomes elements, each changed alone.

import { announce } from "./announcer.js";
import { showBlock } from "./blocks.js";
import { markUnseen, showUsage } from "./gauge.js";
import { addressOf } from "./ids.js";
import { showProgress } from "./progress.js";
import { say } from "./texts.js";

export class Thread extends EventTarget {
  #numBegun = 0;

  constructor(root, conversation) {
    super();
    this.root = root;
    this.conversation = conversation; // hexadecimal, or empty before the first message
  }

  // Another page would take away what is being written there.
  get #isEdited() {
    return this.root.querySelector(".editor") !== null;
  }

  get last() {
    return [...this.root.querySelectorAll(".message")].at(-1)?.dataset.uid;
  }

  get running() {
    return this.root.querySelector('.message[data-status="running"]');
  }

  // What to ask of a socket that has just opened, or once the page has taken the thread's place.
  get resume() {
    const { uid: message, seq = 0, reasoningSeq = 0 } = this.running?.dataset ?? {};
    const since = message && { message, seq: +seq, reasoning_seq: +reasoningSeq };
    return { type: "resume", conversation: this.conversation, ...since };
  }

  take(frame) {
    if (frame.conversation !== this.conversation) return;
    if (frame.type === "accepted") this.#begin(frame);
    else if (frame.type === "title") this.#emit("title", frame.title);
    else if (frame.type === "switched" && !this.#isEdited) this.refresh();
    const article = frame.message && this.article(frame.message);
    if (article) this.#change(article, frame);
  }

  article(uid) {
    return this.root.querySelector(`#message-${uid}`);
  }

  // The turn stands in the place of whatever followed its parent; there may be more behind one
  // that began a while ago.
  #begin(frame) {
    this.#numBegun += 1;
    if (frame.again) return this.refresh();
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
    const numBegun = this.#numBegun;
    const answer = await fetch(addressOf(this.conversation)).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const page = await answer.text();
    if (numBegun === this.#numBegun) this.show(page);
    else await this.refresh(); // that page may not have the turn yet
  }

  // What was told meanwhile of an answer under way, its end too, has to be told again.
  show(html) {
    const page = parsed(html);
    const there = page.querySelector(".thread");
    if (there && signature(there) !== signature(this.root)) {
      this.root.replaceChildren(...there.children);
      document.getElementById("gauge")?.replaceWith(page.getElementById("gauge"));
      if (this.running) this.#emit("behind");
    }
    this.#emit("running", this.running !== null);
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

// What was unfolded stays so, and whoever was there by keyboard is still there.
function replace(article, whole) {
  const hadFocus = article.contains(document.activeElement);
  if (article.querySelector(".thinking")?.open) whole.querySelector(".thinking").open = true;
  article.replaceWith(whole);
  if (hadFocus) whole.focus({ preventScroll: true });
}

const parsed = (html) => new DOMParser().parseFromString(html ?? "", "text/html");

// One that ended may have been continued elsewhere; one that runs is told piece by piece.
const signature = (thread) =>
  [...thread.querySelectorAll(".message")]
    .map(({ dataset: { uid, status, seq, reasoningSeq } }) =>
      status === "running" ? `${uid} ${status}` : `${uid} ${status} ${seq} ${reasoningSeq}`,
    )
    .join();
