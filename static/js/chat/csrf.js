// The header that Django asks of what changes something; htmx reads it from the same place.

export const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"));
