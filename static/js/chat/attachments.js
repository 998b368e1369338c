// Files for the next message: chosen, dropped or pasted, read by the server, shown as chips.

import { Chips, uidsOf } from "./chips.js";
import { filesOf, keepFiles } from "./drafts.js";
import { listenForDrops } from "./dropping.js";
import { dashed } from "./ids.js";
import { forget, sent, unsent } from "./uploads.js";

export class Attachments {
  #chips = new Chips((chip) => this.#remove(chip));
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
      const { files, types } = event.clipboardData;
      if (!files.length || types.includes("text/plain")) return; // a table comes as an image, too
      event.preventDefault();
      this.#add(files);
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
    if (this.#chips.areRead) return true;
    return new Promise((tell) => (this.#tell = tell));
  }

  // The ids of each one's copies.
  get files() {
    return this.#chips.files;
  }

  #keep() {
    keepFiles(this.#key, this.#chips.kept);
  }

  // What was there when the page was left, unless it was sent or forgotten since.
  async #restore() {
    const files = filesOf(this.#key);
    const known = files.length && (await unsent());
    if (!known) return;
    for (const uids of files) {
      const found = uids.map((uid) => known.get(uid));
      if (found.length === this.#copies && found.every(Boolean)) {
        this.#read(this.#chips.add(found[0].name), found);
      }
    }
    this.#keep();
  }

  // A connection broke, and nobody heard that they had been sent.
  async forgetSent() {
    const known = this.files.length && (await unsent());
    if (!known) return;
    for (const chip of this.#chips.read) {
      if (!uidsOf(chip).some((uid) => known.has(uid))) this.#chips.remove(chip);
    }
    this.#keep();
  }

  // They belong to a message now, once `end` is told that it has arrived; `isAgain` for those of
  // the last one. With the ids of each one's copies.
  take(isAgain) {
    const { files, end } = this.#chips.take(isAgain);
    return { files, end: (haveArrived) => (end(haveArrived), this.#keep()) };
  }

  #answer(areRead) {
    this.#tell = this.#tell?.(areRead);
  }

  #add(files) {
    for (const file of files) this.#upload(file);
  }

  async #upload(file) {
    const chip = this.#chips.add(file.name);
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

  #read(chip, copies) {
    this.#chips.complete(chip, copies);
    const [{ note }] = copies;
    if (note) this.#onError(note); // such as pages without a text
    this.#keep();
    if (this.#chips.areRead) this.#answer(true);
  }

  #remove(chip) {
    uidsOf(chip).forEach((uid) => forget(dashed(uid)));
    this.#discard(chip);
    this.#keep();
    document.getElementById("prompt").focus();
  }

  #discard(chip) {
    this.#chips.remove(chip);
    this.#answer(false);
  }
}
