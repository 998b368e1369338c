// Forms that are posted without another page.

import { csrf } from "./csrf.js";

const SIGN_IN = "/accounts/login/";

// The answer. Its `status` is 0 if there was none, and 401 if a page to sign in was all there was.
export async function posted(address, body) {
  const options = { method: "POST", headers: csrf(), body };
  const answer = await fetch(address, options).catch(() => ({ ok: false, status: 0 }));
  return isSignIn(answer) ? { ok: false, status: 401 } : answer;
}

const isSignIn = ({ redirected, url }) => redirected && new URL(url).pathname.startsWith(SIGN_IN);
