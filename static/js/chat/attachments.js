// Files for the next message: chosen, dropped or pasted, read by the server, shown as chips.

import { csrf } from "./csrf.js";
import { dashed } from "./ids.js";
import { say } from "./texts.js";

export class Attachments {
  #list = document.getElementById("chips");
  #template = document.getElementById("chip");
  #drop = document.getElementById("drop");
  #onError;

  constructor(form, onError) {
    this.#onError = onError;
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
    this.#listenForDrops();
  }

  get isUploading() {
    return this.#list.querySelector("[aria-busy]") !== null;
  }

  get uids() {
    return [...this.#list.querySelectorAll("[data-uid]")].map((chip) => chip.dataset.uid);
  }

  // They belong to a message now; what this returns puts them back if it was refused.
  take() {
    const chips = [...this.#list.children];
    this.#list.replaceChildren();
    this.#list.hidden = true;
    return () => {
      this.#list.append(...chips);
      this.#list.hidden = !this.#list.children.length;
    };
  }

  #listenForDrops() {
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#drop.hidden = false;
    });
    addEventListener("dragleave", (event) => (this.#drop.hidden ||= !event.relatedTarget));
    addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      this.#drop.hidden = true;
      this.#add(event.dataTransfer.files);
    });
  }

  #add(files) {
    for (const file of files) this.#upload(file);
  }

  async #upload(file) {
    const chip = this.#chip(file.name);
    const body = new FormData();
    body.append("file", file);
    body.append("model", document.getElementById("model").value); // whose tokens are counted
    const answer = await fetch("/attachments/", { method: "POST", headers: csrf(), body }).catch(() => null);
    const said = await answer?.json().catch(() => null);
    if (answer?.ok) return this.#read(chip, said);
    this.#discard(chip);
    this.#onError(said?.error?.message ?? say("uploadFailed", { name: file.name }));
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

  #read(chip, { uid, num_tokens: count, note }) {
    chip.dataset.uid = uid.replaceAll("-", "");
    chip.removeAttribute("aria-busy");
    chip.querySelector(".cost").textContent = say("tokens", { count });
    if (note) this.#onError(note); // such as pages without a text
  }

  #remove(chip) {
    const { uid } = chip.dataset;
    if (uid) fetch(`/attachments/${dashed(uid)}/`, { method: "DELETE", headers: csrf() });
    this.#discard(chip);
    document.getElementById("prompt").focus();
  }

  #discard(chip) {
    chip.remove();
    this.#list.hidden = !this.#list.children.length;
  }
}
