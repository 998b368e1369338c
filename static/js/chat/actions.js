// What the buttons of a conversation's messages do, and a few others beside them.

import { edit, isKept } from "./editor.js";

export class Actions {
  #chat;
  #ask;

  // `ask` sends a frame, and resolves to null if it was refused.
  constructor(chat, ask) {
    this.#chat = chat;
    this.#ask = ask;
    chat.root.addEventListener("click", (event) => this.#clicked(event.target.closest("[data-do]")));
  }

  editLast() {
    const last = [...this.#chat.root.querySelectorAll('[data-role="user"]')].at(-1);
    if (last) this.#edit(last);
  }

  // What was being edited when the page was left, or took another one's place.
  reopen() {
    const { activeElement } = document;
    for (const article of this.#chat.root.querySelectorAll('[data-role="user"]')) {
      if (isKept(article)) this.#edit(article);
    }
    if (activeElement.isConnected) activeElement.focus({ preventScroll: true });
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
    edit(article, async (text) => {
      const { value: model } = this.#chat.model;
      const accepted = await this.#ask({ type: "edit", message: article.dataset.uid, text, model });
      if (!accepted) this.#chat.composer.giveBack(text);
    });
  }
}
