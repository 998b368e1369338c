// What a person has written and not yet sent, in this browser, conversation by conversation.

const { person } = document.body.dataset; // others may use this browser, too
const PREFIX = `draft:${person}:`;
const FILES = `files:${person}:`;
const LEAVING = `leaving:${person}:`;

// Storage may be full, or forbidden: then there are no drafts.
function tried(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

const read = (name) => tried(() => JSON.parse(localStorage.getItem(name)));
const keep = (name, value) => tried(() => localStorage.setItem(name, value));
const drop = (name) => tried(() => localStorage.removeItem(name));

export const draftOf = (conversation) => tried(() => localStorage.getItem(PREFIX + conversation)) ?? "";

export function keepDraft(conversation, text) {
  if (text) keep(PREFIX + conversation, text);
  else drop(PREFIX + conversation);
}

// What was sent and not acknowledged: `text`, and the `ids` that the server knows it by.
export const leavingOf = (conversation) => read(LEAVING + conversation);

export function keepLeaving(conversation, leaving) {
  if (leaving) keep(LEAVING + conversation, JSON.stringify(leaving));
  else drop(LEAVING + conversation);
}

// Files that go with it: ids of those that the server has and no message.
export const filesOf = (conversation) => read(FILES + conversation) ?? [];

export function keepFiles(conversation, files) {
  if (files.length) keep(FILES + conversation, JSON.stringify(files));
  else drop(FILES + conversation);
}
