// What a person sends: it leaves the field and the list of files, and comes back if it was refused.

import { ACCEPTED, LOST, showRefusal } from "./connection.js";

export class Outbox {
  #composer;
  #attachments;
  #deliver;
  #copies;
  #isLeaving = false;
  #isLost = false;

  // `deliver(text, files, ids)` resolves to what became of it: a message has `copies`, each with
  // an id of its own, and `files` are the ids of each file's.
  constructor(composer, attachments, deliver, copies = 1) {
    this.#composer = composer;
    this.#attachments = attachments;
    this.#deliver = deliver;
    this.#copies = copies;
    composer.addEventListener("send", () => this.#send());
  }

  // Of what was lost on the way the server knows by its ids whether it has arrived; of words that
  // somebody has changed since, it knows their files.
  async sendAgain() {
    if (!this.#isLost || this.#isLeaving) return;
    const { lost } = this.#composer;
    if (lost === null) await this.#attachments.forgetSent();
    else await this.#leave(lost, true);
  }

  async #send() {
    if (!(await this.#attachments.allRead())) return;
    const { isRunning, text } = this.#composer;
    if (!text.trim() && !this.#attachments.files.length) return;
    if (isRunning || this.#isLeaving) showRefusal({ code: "conversation_busy" });
    else await this.#leave(text);
  }

  async #leave(text, isAgain = false) {
    this.#isLeaving = true;
    const leaving = this.#composer.take(text, this.#copies);
    const { files, end } = this.#attachments.take(isAgain);
    let outcome = LOST;
    try {
      outcome = await this.#deliver(text, files, leaving.ids);
    } finally {
      this.#composer.end(leaving, outcome);
      end(outcome === ACCEPTED);
      this.#isLost = outcome === LOST;
      this.#isLeaving = false;
    }
  }
}
