// The chat socket: opens, opens again with back-off, and pairs questions with replies.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;
const ASLEEP_MS = 30_000; // a page that was hidden for so long may have a dead socket
const LATE_MS = 5000; // after that a message returns to its field
const SILENT_MS = 30_000; // a socket that has not answered by then is taken for dead
const NOT_LET_IN = 4401;

export class Socket extends EventTarget {
  #socket = null;
  #replies = new Map();
  #failures = 0;
  #timer = 0;
  #wasOpen = false;
  #hiddenAt = Infinity;
  #lastRef = 0;
  #owed = [];

  constructor() {
    super();
    addEventListener("online", () => this.#renew());
    addEventListener("offline", () => this.#tell("offline"));
    document.addEventListener("visibilitychange", () => this.#wake());
    this.#open();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  send(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
  }

  // Over the next one, if there is no connection.
  insist(frame) {
    if (this.isOpen) this.send(frame);
    else this.#owed.push(frame);
  }

  // Resolves to the `accepted` frame; rejects with the `error` frame, or with `lost`.
  async request(frame) {
    if (this.#isOpening) await this.#opening();
    const ref = String(++this.#lastRef);
    return new Promise((resolve, reject) => {
      this.#replies.set(ref, { resolve, reject });
      this.send({ ...frame, ref });
      if (!this.isOpen) this.#settle(ref, { type: "error", code: "not_connected" });
      else setTimeout(() => this.#replies.has(ref) && this.#renew(), SILENT_MS);
    });
  }

  get #isOpening() {
    return this.#socket?.readyState === WebSocket.CONNECTING;
  }

  // People may be quicker than a page that has just been loaded.
  #opening() {
    return new Promise((resolve) => {
      this.addEventListener("state", resolve, { once: true });
      setTimeout(resolve, LATE_MS);
    });
  }

  #open() {
    clearTimeout(this.#timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/chat/?html=1`);
    socket.onopen = () => socket === this.#socket && this.#opened();
    socket.onmessage = (event) => socket === this.#socket && this.#take(JSON.parse(event.data));
    socket.onclose = (event) => socket === this.#socket && this.#closed(event.code);
    this.#socket = socket;
  }

  #opened() {
    this.#failures = 0;
    for (const frame of this.#owed.splice(0)) this.send(frame);
    this.#tell(this.#wasOpen ? "reopened" : "opened");
    this.#wasOpen = true;
  }

  #take(frame) {
    if (frame.ref) this.#settle(frame.ref, frame);
    this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
  }

  #settle(ref, frame) {
    const reply = this.#replies.get(ref);
    this.#replies.delete(ref);
    if (frame.type === "error") reply?.reject(frame);
    else reply?.resolve(frame);
  }

  // Nobody knows what became of what was not answered.
  #lose() {
    for (const ref of [...this.#replies.keys()]) this.#settle(ref, { type: "error", code: "lost" });
  }

  #closed(code) {
    this.#lose();
    if (code === NOT_LET_IN) return this.#tell("signedOut");
    this.#failures += 1;
    this.#tellGone();
    if (this.#failures === 3) this.#askWhy();
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** (this.#failures - 1));
    this.#timer = setTimeout(() => this.#open(), wait * (0.75 + Math.random() / 2));
  }

  // A handshake that is refused says no more than one that fails.
  async #askWhy() {
    const page = await fetch(location.href, { method: "HEAD", redirect: "manual" }).catch(() => null);
    if (page?.type !== "opaqueredirect" && page?.status !== 401) return;
    clearTimeout(this.#timer);
    this.#tell("signedOut");
  }

  #now() {
    if (this.#socket.readyState === WebSocket.CLOSED) this.#open();
  }

  // It may look open and be dead: the network was away. A dead one takes a minute to close.
  #renew() {
    const old = this.#socket;
    this.#tellGone();
    this.#open();
    old.close();
    this.#lose();
  }

  #wake() {
    const slept = Date.now() - this.#hiddenAt;
    this.#hiddenAt = document.hidden ? Date.now() : Infinity;
    if (document.hidden) return;
    if (slept > ASLEEP_MS) this.#renew();
    else this.#now();
  }

  #tellGone() {
    this.#tell(navigator.onLine ? "reconnecting" : "offline");
  }

  #tell(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
