// The field that people write in: it grows, keeps drafts, sends and stops.

import { draftOf, keepDraft } from "./drafts.js";

const BETWEEN = "\n\n";
const leaving = (key) => `leaving:${key}`;
const joined = (...texts) => texts.filter(Boolean).join(BETWEEN);

export class Composer extends EventTarget {
  #form;
  #field;
  #key;

  // `key` names the draft: the conversation, or the page.
  constructor(form, key) {
    super();
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#key = key;
    this.lost = draftOf(leaving(key)); // was on its way when the page was left
    this.text = joined(this.lost, this.text || draftOf(key));
    this.#leaves("");
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
    this.#leaves("");
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

  // It leaves the field, but is kept until what this returns is told whether it has arrived.
  take() {
    const { text } = this;
    this.#leaves(text);
    this.text = "";
    return (hasArrived) => {
      if (!hasArrived) this.giveBack(text);
      this.#leaves("");
    };
  }

  // What was refused comes back, before what has been written since.
  giveBack(text) {
    this.text = joined(text, this.text);
  }

  // What came back although it had arrived.
  forget(text) {
    const before = text + BETWEEN;
    if (this.text === text) this.text = "";
    else if (this.text.startsWith(before)) this.text = this.text.slice(before.length);
  }

  #leaves(text) {
    keepDraft(leaving(this.#key), text);
  }

  #changed() {
    keepDraft(this.#key, this.text);
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
