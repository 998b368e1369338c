// Ids are hexadecimal in frames and elements, and have dashes in addresses.

export const dashed = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
export const addressOf = (conversation) => `/c/${dashed(conversation)}/`;
export const isShown = (message) => document.getElementById(`message-${message}`) !== null;
export const hex = (uid) => uid.replaceAll("-", "");

// `crypto.randomUUID` is for secure contexts alone.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
