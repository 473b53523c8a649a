// Terms of use where a download needs them: shown, accepted for the account, and the zip fetched with its token.
import { once } from "./button.js";
import { inWords } from "./detector.js";
import { ask, token } from "./session.js";

const BY_FETCH_MAX = 512e6; // bytes that a tab should hold; larger zips are a matter for curl
const box = document.getElementById("terms");
const said = document.getElementById("terms-said");
const list = document.getElementById("terms-list");

const button = (text, action) => {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", () => once(made, async () => {
    said.textContent = "";
    try { await action(); } catch (error) { said.textContent = inWords(error); }
  }));
  return made;
};

async function show() {
  const wanted = box.dataset.terms.split(" ");
  const { terms } = await (await ask("/api/v1/terms")).json();
  const needed = terms.filter((one) => wanted.includes(one.name));
  const open = needed.filter((one) => !one.accepted_at);
  list.replaceChildren(...open.map((one) => {
    const line = document.createElement("p");
    const link = document.createElement("a");
    link.href = one.url;
    link.rel = "external";
    link.textContent = `${one.title}, version ${one.version}`;
    line.append(link, " ", button("I have read and accept them", async () => {
      await ask(one.acceptance_url, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ version: one.version }),
      });
      await show();
      list.querySelector("button")?.focus(); // the accepted one has gone
    }));
    return line;
  }));
  if (!open.length && Number(box.dataset.bytes) <= BY_FETCH_MAX) {
    list.replaceChildren(button("Download with my account", fetched));
  } else if (!open.length) {
    said.textContent = "Accepted. This is too large for a tab: use the curl line with your token.";
  }
}

async function fetched() {
  said.textContent = "Downloading …";
  const zip = await (await ask(box.dataset.url)).blob();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(zip);
  link.download = "braingranary.zip";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  said.textContent = "";
}

if (box) {
  if (token()) show().catch((error) => { said.textContent = inWords(error); });
  else said.textContent = "Sign in first (top right).";
}
