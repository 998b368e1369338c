// What the buttons of a conversation's messages do, and a few others beside them.

import { ACCEPTED } from "./connection.js";
import { edit, forgetArrived, isKept, sendAgain } from "./editor.js";

export class Actions {
  #chat;
  #ask;

  // `ask` sends a frame, and resolves to what became of it.
  constructor(chat, ask) {
    this.#chat = chat;
    this.#ask = ask;
    chat.root.addEventListener("click", (event) => this.#clicked(event.target.closest("[data-do]")));
  }

  editLast() {
    const last = this.#said.at(-1);
    if (last) this.#edit(last);
  }

  // What was being edited when the page was left, or took another one's place.
  reopen() {
    const { activeElement } = document;
    this.#said.filter(isKept).forEach((article) => this.#edit(article));
    if (activeElement.isConnected) activeElement.focus({ preventScroll: true });
  }

  sendAgain() {
    forgetArrived();
    this.#said.forEach(sendAgain);
  }

  // By people.
  get #said() {
    return [...this.#chat.root.querySelectorAll('[data-role="user"]')];
  }

  #clicked(button) {
    const article = button?.closest(".message");
    const message = article?.dataset.uid;
    const { composer, model, settings } = this.#chat;
    switch (button?.dataset.do) {
      case "again":
        return this.#ask({ type: "regenerate", message, model: model.value });
      case "continue":
        return this.#ask({ type: "continue", message });
      case "edit":
        return this.#edit(article);
      case "settings":
        return settings.open();
      case "suggest":
        composer.text = button.textContent;
        return composer.focus();
    }
  }

  #edit(article) {
    edit(article, async (text, question) => {
      const { uid: message } = article.dataset;
      const { value: model } = this.#chat.model;
      const outcome = await this.#ask({ type: "edit", question, message, text, model });
      const there = this.#chat.thread.article(message);
      if (outcome !== ACCEPTED && there) this.#edit(there); // with the same words
      return outcome;
    });
  }
}
