// Tells the server where the days of this browser begin: it sorts conversations by them.

import { changed } from "./library.js";

const YEAR_SECONDS = 365 * 24 * 60 * 60;
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
const cookie = `timezone=${timeZone}`;

if (timeZone && !document.cookie.split("; ").includes(cookie)) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `${cookie}; path=/; max-age=${YEAR_SECONDS}; samesite=lax${secure}`;
  if (new Date().getTimezoneOffset()) addEventListener("load", changed); // it was made with UTC
}
