// What was written and not yet sent, in this browser, conversation by conversation.

const PREFIX = "draft:";

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
