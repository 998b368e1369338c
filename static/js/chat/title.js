// What the conversation on this page is called.

export const shownTitle = () => document.getElementById("title").textContent;

export function entitle(title) {
  if (!title) return;
  document.getElementById("title").textContent = title;
  document.title = `${title} · llmsite`;
}

// Until the model has found one, as the server has it.
export const titleOf = (text) => text.trim().split("\n")[0].slice(0, 60);
