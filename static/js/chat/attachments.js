// Files for the next message: chosen, dropped or pasted, read by the server, shown as chips.

import { filesOf, keepFiles } from "./drafts.js";
import { listenForDrops } from "./dropping.js";
import { dashed, hex } from "./ids.js";
import { say } from "./texts.js";
import { forget, sent, unsent } from "./uploads.js";

export class Attachments {
  #list = document.getElementById("chips");
  #template = document.getElementById("chip");
  #onError;
  #key;
  #copies;
  #tell;

  // `key` names the draft that they go with. A message has a copy of its own: `copies` of them.
  constructor(form, key, onError, copies = 1) {
    this.#onError = onError;
    this.#key = key;
    this.#copies = copies;
    const files = document.getElementById("files");
    form.querySelector('[data-do="attach"]').addEventListener("click", () => files.click());
    files.addEventListener("change", () => {
      this.#add(files.files);
      files.value = "";
    });
    form.addEventListener("paste", (event) => {
      if (!event.clipboardData.files.length) return;
      event.preventDefault();
      this.#add(event.clipboardData.files);
    });
    this.#list.addEventListener("click", (event) => {
      if (event.target.closest('[data-do="detach"]')) this.#remove(event.target.closest("li"));
    });
    listenForDrops(document.getElementById("drop"), (files) => this.#add(files));
    this.#restore();
  }

  set key(key) {
    keepFiles(this.#key, []);
    this.#key = key;
    this.#keep();
  }

  // True once all files are there; false if one was not taken, or somebody asks again.
  allRead() {
    this.#answer(false);
    if (!isBusy(this.#list)) return true;
    return new Promise((tell) => (this.#tell = tell));
  }

  // Of one message's files.
  uids(copy = 0) {
    return this.#files.map((uids) => uids[copy]);
  }

  get #files() {
    return [...this.#list.querySelectorAll("[data-uids]")].map((chip) => uidsOf(chip));
  }

  #keep() {
    keepFiles(this.#key, this.#files);
  }

  // What was there when the page was left, unless it was sent or forgotten since.
  async #restore() {
    const files = filesOf(this.#key);
    if (!files.length) return;
    const known = new Map((await unsent()).map((facts) => [hex(facts.uid), facts]));
    for (const uids of files) {
      const found = uids.map((uid) => known.get(uid));
      if (found.length === this.#copies && found.every(Boolean)) this.#read(this.#chip(found[0].name), found);
    }
    this.#keep();
  }

  // They belong to a message now; what this returns puts them back if it was refused.
  take() {
    const chips = [...this.#list.children];
    this.#list.replaceChildren();
    this.#list.hidden = true;
    this.#keep();
    return () => {
      this.#list.append(...chips);
      this.#list.hidden = !this.#list.children.length;
      this.#keep();
    };
  }

  #answer(areRead) {
    this.#tell = this.#tell?.(areRead);
  }

  #add(files) {
    for (const file of files) this.#upload(file);
  }

  async #upload(file) {
    const chip = this.#chip(file.name);
    const read = [];
    while (read.length < this.#copies) {
      const { facts, refusal } = await sent(file);
      if (refusal) {
        read.forEach(({ uid }) => forget(uid));
        this.#discard(chip);
        return this.#onError(refusal);
      }
      read.push(facts);
    }
    this.#read(chip, read);
  }

  #chip(name) {
    const chip = this.#template.content.firstElementChild.cloneNode(true);
    chip.setAttribute("aria-busy", "true");
    chip.querySelector(".name").textContent = name;
    chip.querySelector(".cost").textContent = say("uploading");
    chip.querySelector("button").setAttribute("aria-label", say("remove", { name }));
    this.#list.append(chip);
    this.#list.hidden = false;
    return chip;
  }

  #read(chip, copies) {
    const [{ num_tokens: count, note }] = copies;
    chip.dataset.uids = copies.map(({ uid }) => hex(uid)).join(" ");
    chip.removeAttribute("aria-busy");
    chip.querySelector(".cost").textContent = say("tokens", { count });
    if (note) this.#onError(note); // such as pages without a text
    this.#keep();
    if (!isBusy(this.#list)) this.#answer(true);
  }

  #remove(chip) {
    uidsOf(chip).forEach((uid) => forget(dashed(uid)));
    this.#discard(chip);
    this.#keep();
    document.getElementById("prompt").focus();
  }

  #discard(chip) {
    chip.remove();
    this.#list.hidden = !this.#list.children.length;
    this.#answer(false);
  }
}

const isBusy = (list) => list.querySelector("[aria-busy]") !== null;
const uidsOf = (chip) => (chip.dataset.uids ?? "").split(" ").filter(Boolean);
