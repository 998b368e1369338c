// What the page says, in its language: `say("queued", {position: 2})`.

const texts = JSON.parse(document.body.dataset.texts);
const number = new Intl.NumberFormat(document.documentElement.lang);

export function say(name, values = {}) {
  return texts[name].replace(/\{(\w+)\}/g, (_, key) =>
    typeof values[key] === "number" ? number.format(values[key]) : values[key],
  );
}
