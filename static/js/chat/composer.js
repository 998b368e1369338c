// The field that people write in: it grows, keeps drafts, sends and stops.

import { ACCEPTED, LOST } from "./connection.js";
import { draftOf, keepDraft, keepLeaving, leavingOf } from "./drafts.js";
import { isShown, newId } from "./ids.js";

const BETWEEN = "\n\n";
const joined = (...texts) => texts.filter(Boolean).join(BETWEEN);

export class Composer extends EventTarget {
  #form;
  #field;
  #key;
  #lost = null; // was sent, and nobody knows whether it has arrived

  // `key` names the draft: the conversation, or the page.
  constructor(form, key) {
    super();
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#key = key;
    this.text = this.text || draftOf(key);
    this.#restore(leavingOf(key));
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    form.addEventListener("submit", (event) => this.#submitted(event));
    form.querySelector('[data-do="stop"]').addEventListener("click", () => this.#emit("stop"));
  }

  get text() {
    return this.#field.value;
  }

  set text(text) {
    this.#field.value = text;
    this.#changed();
  }

  set key(key) {
    keepDraft(this.#key, "");
    keepLeaving(this.#key, null);
    this.#key = key;
    keepDraft(key, this.text);
  }

  set isRunning(isRunning) {
    this.#form.classList.toggle("is-running", isRunning);
    this.#form.querySelector('[data-do="stop"]').hidden = !isRunning;
    this.#form.querySelector(".send").hidden = isRunning;
  }

  get isRunning() {
    return this.#form.classList.contains("is-running");
  }

  focus() {
    this.#field.focus();
  }

  // The text of what was lost on the way, if it is in the field as it was; else null.
  get lost() {
    return this.#lost && this.#isFirst(this.#lost.text) ? this.#lost.text : null;
  }

  // That leaves the field, and is kept until `end` is told what became of it.
  take(text, copies) {
    const isAgain = this.#lost?.text === text;
    const leaving = isAgain ? this.#lost : { text, ids: Array.from({ length: copies }, newId) };
    this.#lost = null;
    keepLeaving(this.#key, leaving);
    this.#drop(text);
    return leaving;
  }

  // What has not arrived comes back, before what has been written since.
  end(leaving, outcome) {
    if (outcome !== ACCEPTED) this.giveBack(leaving.text);
    if (outcome === LOST) this.#lost = leaving;
    else keepLeaving(this.#key, null);
  }

  giveBack(text) {
    this.text = joined(text, this.text);
  }

  // What was on its way when the page was left.
  #restore(leaving) {
    if (!leaving) return;
    const hasArrived = leaving.ids.every(isShown);
    if (hasArrived) this.#drop(leaving.text);
    else if (!this.#isFirst(leaving.text)) this.giveBack(leaving.text);
    this.#lost = leaving;
    if (hasArrived) this.#forgetLost();
  }

  #forgetLost() {
    this.#lost = null;
    keepLeaving(this.#key, null);
  }

  #isFirst(text) {
    return this.text === text || this.text.startsWith(text + BETWEEN);
  }

  #drop(text) {
    if (this.#isFirst(text)) this.text = this.text.slice((text + BETWEEN).length);
  }

  #changed() {
    keepDraft(this.#key, this.text);
    if (this.#lost && !this.text.startsWith(this.#lost.text)) this.#forgetLost();
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  #pressed(event) {
    // Enter also chooses a word while one is composed, as in Japanese.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey) this.#submitted(event);
    else if (event.key === "ArrowUp" && !this.text) {
      event.preventDefault();
      this.#emit("edit-last");
    }
  }

  #submitted(event) {
    event.preventDefault();
    this.#emit("send");
  }

  #emit(type) {
    this.dispatchEvent(new CustomEvent(type));
  }
}
