// The sheet with a conversation's system prompt and parameters.

import { announce } from "./announcer.js";
import { whyNot } from "./connection.js";
import { addressOf } from "./ids.js";
import { posted } from "./posting.js";
import { say } from "./texts.js";

export class Settings {
  #sheet = document.getElementById("settings");
  #form = document.getElementById("settings-form");
  #trouble = this.#form.querySelector('[data-slot="trouble"]');
  #model = document.getElementById("model");
  #addresses = [];

  constructor() {
    if (this.#form.getAttribute("action")) this.#addresses.push(this.#form.action);
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
  add(conversation) {
    this.#addresses.push(`${addressOf(conversation)}settings/`);
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
    const body = new FormData(this.#form);
    const answers = await Promise.all(this.#addresses.map((address) => posted(address, body)));
    const refusal = answers.find(({ ok }) => !ok);
    this.#trouble.hidden = true;
    if (!refusal) {
      this.#sheet.close();
      return answers.length && announce(say("saved"));
    }
    if (refusal.status === 400) return this.#showErrors(await refusal.text());
    this.#trouble.textContent = whyNot(refusal.status);
    this.#trouble.hidden = false;
  }

  #showErrors(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const fields = page.querySelector("[data-fields]");
    if (fields) this.#form.querySelector("[data-fields]").replaceChildren(...fields.childNodes);
  }

  #apply({ dataset }) {
    if (dataset.parameters === undefined) return;
    this.#fill(JSON.parse(dataset.parameters), dataset.systemPrompt);
    const isOffered = this.#model && [...this.#model.options].some((option) => option.value === dataset.model);
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
