// The detector's page: sign in, choose or drop a file, see verdict, probability and outline.
import { account, ask, signIn, token } from "./session.js";

const by = (id) => document.getElementById(id);
const [sign, signed, signTrouble, upload, drop, file, send, busy, result, trouble, image] =
  ["sign", "signed", "sign-trouble", "upload", "drop", "file", "send", "busy", "result", "trouble", "overlay"].map(by);

// What a person can do about an error, by its stable code; for others the server's own words have to do.
const ADVICE = {
  not_brain_mr: "This does not look like a brain MR, so there is no verdict. The detector knows slices of heads, seen along one of the three axes.",
  image_invalid: "This file cannot be read as an image. PNG, JPEG, DICOM, a zip of one DICOM series and NIfTI are understood.",
  image_too_large: "This file is too large. Send one slice, or a smaller volume.",
  body_too_large: "This file is too large. Send one slice, or a smaller volume.",
  model_invalid: "No model is installed on this server yet.",
  model_missing: "No model is installed on this server yet.",
  server_busy: "The detector has its hands full. Try again in a few seconds.",
  rate_limited: "That was often. Please wait a little.",
};

let chosen = null;
let shown = null;

function tell() {
  const name = account();
  sign.hidden = Boolean(name);
  signed.hidden = !name;
  if (name) signed.textContent = `Signed in as ${name}.`;
  send.disabled = !(name && chosen);
}

function complain(place, error) {
  const seconds = Number(error.retryAfter);
  const wait = error.retryAfter && Number.isFinite(seconds) ? ` Try again in ${seconds} s.` : "";
  place.textContent = (ADVICE[error.code] || error.message) + wait;
  if (error.code) {
    const code = document.createElement("code");
    code.textContent = error.code;
    place.append(" (", code, ")");
  }
  place.hidden = false;
}

sign.addEventListener("submit", async (event) => {
  event.preventDefault();
  signTrouble.hidden = true;
  const button = sign.querySelector("button");
  button.disabled = true;
  const told = new FormData(sign);
  try {
    await signIn(told.get("email"), told.get("password"), told.get("invitation"));
    sign.querySelector("[name=password]").value = "";
    file.focus();
  } catch (error) {
    complain(signTrouble, error);
  } finally {
    button.disabled = false;
  }
});

function choose(files) {
  chosen = files[0] || null;
  trouble.hidden = true;
  busy.textContent = chosen ? (token() ? "" : "Sign in to have it looked at.") : "";
  tell();
}

file.addEventListener("change", () => choose(file.files));
for (const name of ["dragover", "dragenter"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  if (!event.dataTransfer.files.length) return;
  file.files = event.dataTransfer.files;
  choose(file.files);
  if (token()) upload.requestSubmit();
});

const posted = (query) => {
  const form = new FormData();
  form.append("file", chosen);
  return ask(`/detect?${query}=1`, { method: "POST", body: form });
};

upload.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (!chosen || !token()) return;
  trouble.hidden = true;
  result.hidden = true;
  send.disabled = true;
  busy.textContent = "Looking …";
  try {
    const told = await (await posted("details")).json();
    describe(told);
    picture(await (await posted("overlay")).blob(), told);
  } catch (error) {
    complain(trouble, error);
  } finally {
    busy.textContent = "";
    tell();
  }
});

function describe(told) {
  const tumor = told.result === "Tumor";
  const probability = Number(told.probability);
  const threshold = Number(told.threshold);
  by("verdict").textContent = told.result;
  const gauge = by("gauge");
  gauge.setAttribute("aria-label", `Probability ${probability.toFixed(3)}, threshold ${threshold.toFixed(3)}`);
  const full = gauge.querySelector(".full");
  full.setAttribute("width", 400 * probability);
  full.classList.toggle("clear", !tumor);
  gauge.querySelector(".cut").setAttribute("d", `M${400 * threshold} 10v20`);
  const at = gauge.querySelector(".at");
  at.setAttribute("x", Math.min(350, Math.max(50, 400 * threshold)));
  at.textContent = `threshold ${threshold.toFixed(2)}`;
  const facts = [["Probability", probability.toFixed(3)], ["Threshold", threshold.toFixed(3)]];
  facts.push(["Model", told.model_version ?? told.model]);
  if (told.slices > 1) facts.push(["Highest at", `slice ${told.slice + 1} of ${told.slices}`]);
  const box = told.lesion?.box ?? told.lesion_box;
  const area = told.lesion?.area_px ?? told.lesion_area_px;
  if (area) facts.push(["Outlined area", `${area} px`]);
  if (box) facts.push(["Box (top, left, bottom, right)", Object.values(box).join(", ")]);
  by("details").replaceChildren(...facts.filter(([, value]) => value !== undefined).flatMap(([name, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
  result.hidden = false;
}

function picture(blob, told) {
  if (shown) URL.revokeObjectURL(shown);
  shown = URL.createObjectURL(blob);
  image.src = shown;
  image.alt = told.result === "Tumor" ? "Your scan with the outline of what the detector takes for a tumour" : "Your scan, nothing outlined";
  image.hidden = false;
  by("empty").hidden = true;
}

document.addEventListener("account", tell);
tell();
