// The list of files that go with the next message.

import { hex } from "./ids.js";
import { say } from "./texts.js";

export class Chips {
  #list = document.getElementById("chips");
  #template = document.getElementById("chip");
  #leaving = [];
  #taken = [];

  // `onRemove(chip)`: somebody does not want to send that one.
  constructor(onRemove) {
    this.#list.addEventListener("click", ({ target }) => {
      if (target.closest('[data-do="detach"]')) onRemove(target.closest("li"));
    });
  }

  get areRead() {
    return this.#list.querySelector("[aria-busy]") === null;
  }

  get read() {
    return [...this.#list.querySelectorAll("[data-uids]")];
  }

  // The ids of each one's copies.
  get files() {
    return this.read.map(uidsOf);
  }

  // With those that are on their way.
  get kept() {
    return [...this.#leaving, ...this.read].map(uidsOf);
  }

  add(name) {
    const chip = this.#template.content.firstElementChild.cloneNode(true);
    chip.setAttribute("aria-busy", "true");
    chip.querySelector(".name").textContent = name;
    chip.querySelector(".cost").textContent = say("uploading");
    chip.querySelector("button").setAttribute("aria-label", say("remove", { name }));
    this.#show(chip);
    return chip;
  }

  // `copies` are what the server knows of each.
  complete(chip, copies) {
    chip.dataset.uids = copies.map(({ uid }) => hex(uid)).join(" ");
    chip.removeAttribute("aria-busy");
    chip.querySelector(".cost").textContent = say("tokens", { count: copies[0].num_tokens });
  }

  remove(chip) {
    chip.remove();
    this.#show();
  }

  // They leave the list, or those of them that did so the last time; `end` is told whether they
  // have arrived.
  take(isAgain) {
    const all = [...this.#list.children];
    const chips = isAgain ? all.filter((chip) => this.#taken.includes(chip)) : all;
    this.#taken = this.#leaving = chips;
    chips.forEach((chip) => chip.remove());
    this.#show();
    const end = (haveArrived) => {
      this.#leaving = [];
      if (!haveArrived) this.#list.prepend(...chips);
      this.#show();
    };
    return { files: chips.map(uidsOf), end };
  }

  #show(...more) {
    this.#list.append(...more);
    this.#list.hidden = !this.#list.children.length;
  }
}

export const uidsOf = (chip) => (chip.dataset.uids ?? "").split(" ").filter(Boolean);
