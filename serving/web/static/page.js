// On every page: copy buttons, and who is signed in. Everything works without it; it only adds.
import { account, signOut } from "./session.js";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  const words = button.firstChild;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      words.textContent = "Copied";
    } catch {
      // No clipboard without a secure address: mark the text, so that the keyboard can copy it.
      getSelection().selectAllChildren(code);
      words.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { words.textContent = "Copy"; }, 2000);
  });
}

const place = document.getElementById("account");
function tell() {
  const name = account();
  const before = place.parentElement.querySelector("button");
  const focused = before !== null && before === document.activeElement;
  before?.remove();
  place.hidden = Boolean(name);
  if (focused && !name) place.focus();
  if (!name) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet-button";
  button.textContent = "Sign out";
  button.title = name;
  button.addEventListener("click", async () => { await signOut(); });
  place.after(button);
}
document.addEventListener("account", tell);
tell();
