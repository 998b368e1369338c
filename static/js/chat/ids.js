// Ids are hexadecimal in frames and elements, and have dashes in addresses.

export const dashed = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
export const addressOf = (conversation) => `/c/${dashed(conversation)}/`;
export const hex = (uid) => uid.replaceAll("-", "");
