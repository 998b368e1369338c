// The sheet with a conversation's system prompt and parameters.

import { announce } from "./announcer.js";
import { csrf } from "./csrf.js";
import { addressOf } from "./ids.js";
import { say } from "./texts.js";

export class Settings {
  #sheet = document.getElementById("settings");
  #form = document.getElementById("settings-form");
  #model = document.getElementById("model");

  constructor() {
    this.#form.addEventListener("submit", (event) => this.#save(event));
    this.#form.querySelector('[data-do="clear-settings"]').addEventListener("click", () => this.#fill({}));
    this.#form.querySelector("#preset").addEventListener("change", (event) => {
      this.#apply(event.target.selectedOptions[0]);
    });
  }

  open() {
    this.#sheet.showModal();
  }

  // A new conversation takes them along with its first message; then they are stored.
  set conversation(uid) {
    this.#form.action = `${addressOf(uid)}settings/`;
  }

  get #isNew() {
    return !this.#form.getAttribute("action");
  }

  get values() {
    const prompt = this.#form.elements.system_prompt.value;
    const parameters = {};
    for (const field of this.#form.querySelectorAll("[data-parameter]")) {
      const value = valueOf(field);
      if (value !== null) parameters[field.dataset.parameter] = value;
    }
    return { system_prompt: prompt, parameters };
  }

  async #save(event) {
    event.preventDefault();
    if (this.#isNew) return this.#sheet.close();
    const body = new FormData(this.#form);
    const answer = await fetch(this.#form.action, { method: "POST", headers: csrf(), body }).catch(() => null);
    if (answer?.ok) {
      this.#sheet.close();
      return announce(say("saved"));
    }
    const page = new DOMParser().parseFromString((await answer?.text()) ?? "", "text/html");
    const fields = page.querySelector("[data-fields]");
    if (fields) this.#form.querySelector("[data-fields]").replaceChildren(...fields.childNodes);
  }

  #apply({ dataset }) {
    if (dataset.parameters === undefined) return;
    this.#fill(JSON.parse(dataset.parameters), dataset.systemPrompt);
    const isOffered = [...this.#model.options].some((option) => option.value === dataset.model);
    if (isOffered) this.#model.value = dataset.model;
  }

  #fill(parameters, prompt = "") {
    this.#form.elements.system_prompt.value = prompt;
    for (const field of this.#form.querySelectorAll("[data-parameter]")) {
      const value = parameters[field.dataset.parameter] ?? "";
      field.value = Array.isArray(value) ? value.join("\n") : value;
    }
  }
}

function valueOf(field) {
  if (field.tagName === "TEXTAREA") {
    const lines = field.value.split("\n").filter(Boolean);
    return lines.length ? lines : null;
  }
  return field.value === "" ? null : Number(field.value);
}
