// What a person sends: it leaves the field and the list of files, and comes back if it was refused.

import { hideRefusal, showRefusal } from "./connection.js";

export class Outbox {
  #composer;
  #attachments;
  #deliver;
  #isLeaving = false;

  // `deliver(text, files)` resolves to whether it has arrived; `files` are the ids of each one's copies.
  constructor(composer, attachments, deliver) {
    this.#composer = composer;
    this.#attachments = attachments;
    this.#deliver = deliver;
    this.lost = composer.lost; // of it nobody knows whether it has arrived
    composer.addEventListener("send", () => this.#send());
  }

  async #send() {
    const composer = this.#composer;
    const attachments = this.#attachments;
    if (!(await attachments.allRead())) return;
    const { text } = composer;
    const { files } = attachments;
    if (!text.trim() && !files.length) return;
    if (composer.isRunning || this.#isLeaving) return showRefusal({ code: "conversation_busy" });
    this.#isLeaving = true;
    const ends = [attachments.take(), composer.take()];
    let hasArrived = false;
    try {
      hasArrived = await this.#deliver(text, files);
    } finally {
      ends.forEach((end) => end(hasArrived));
      this.#isLeaving = false;
    }
  }

  // `said` last in the conversation, as the server has it.
  forgetIfSent(said) {
    if (this.lost && said === this.lost) {
      this.#composer.forget(this.lost);
      hideRefusal();
    }
    this.lost = "";
  }

  // Files without a word have been sent, too.
  async forgetSentFiles() {
    const { length } = this.#attachments.files;
    await this.#attachments.forgetSent();
    if (length && !this.#attachments.files.length && !this.#composer.text) hideRefusal();
  }
}
