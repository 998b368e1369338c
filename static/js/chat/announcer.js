// Tells screen readers what begins and ends; not each word of it.

const place = document.getElementById("announcer");

export function announce(text) {
  place.textContent = "";
  requestAnimationFrame(() => (place.textContent = text));
}
