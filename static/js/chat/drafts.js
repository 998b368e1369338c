// What a person has written and not yet sent, in this browser, conversation by conversation.

const { person } = document.body.dataset; // others may use this browser, too
const PREFIX = `draft:${person}:`;
const FILES = `files:${person}:`;

// Storage may be full, or forbidden: then there are no drafts.
function tried(work) {
  try {
    return work();
  } catch {
    return null;
  }
}

export const draftOf = (conversation) => tried(() => localStorage.getItem(PREFIX + conversation)) ?? "";

export function keepDraft(conversation, text) {
  if (text) tried(() => localStorage.setItem(PREFIX + conversation, text));
  else tried(() => localStorage.removeItem(PREFIX + conversation));
}

// Files that go with it: ids of those that the server has and no message.
export const filesOf = (conversation) => tried(() => JSON.parse(localStorage.getItem(FILES + conversation))) ?? [];

export function keepFiles(conversation, files) {
  if (files.length) tried(() => localStorage.setItem(FILES + conversation, JSON.stringify(files)));
  else tried(() => localStorage.removeItem(FILES + conversation));
}
