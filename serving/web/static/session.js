// The token of this browser: kept in localStorage, so that a new tab is signed in too; sent as a header, never a cookie.
const KEY = "granary-token";
const NAME = "granary-account";

export const token = () => localStorage.getItem(KEY);
export const account = () => (token() ? localStorage.getItem(NAME) || "signed in" : null);

function keep(value, name) {
  if (value) {
    localStorage.setItem(KEY, value);
    localStorage.setItem(NAME, name);
  } else {
    localStorage.removeItem(KEY);
    localStorage.removeItem(NAME);
  }
  document.dispatchEvent(new CustomEvent("account"));
}

addEventListener("storage", (event) => {
  if (event.key === KEY) document.dispatchEvent(new CustomEvent("account"));
});

/** A problem as the server tells it: RFC 9457, or whatever came instead. */
export class Problem extends Error {
  constructor(status, told, retryAfter) {
    super(told?.detail || `The server answered ${status}.`);
    this.status = status;
    this.code = told?.code || "";
    this.requestId = told?.request_id || "";
    this.retryAfter = retryAfter;
  }
}

/** fetch with the token, an error for every answer that is none. */
export async function ask(url, options = {}) {
  const headers = new Headers(options.headers);
  if (token()) headers.set("auth-token", token());
  let answer;
  try {
    answer = await fetch(url, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server cannot be reached.", code: "unreachable" });
  }
  if (answer.ok) return answer;
  let told = null;
  try { told = await answer.json(); } catch { /* a proxy's page: the status has to do */ }
  if (answer.status === 401) keep(null);
  throw new Problem(answer.status, told, answer.headers.get("Retry-After"));
}

/** Register a new address or log in a known one. */
export async function signIn(email, password, invitation) {
  const body = { email, password };
  if (invitation) body.invitation = invitation;
  keep(null);
  const answer = await ask("/authorization", {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  keep((await answer.json()).accessToken, email);
}

export async function signOut() {
  try { await ask("/authorization", { method: "DELETE" }); } catch { /* an expired token is as good as none */ }
  keep(null);
}
