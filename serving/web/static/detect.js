// The detector's page: sign in, choose or drop a file, see verdict, probability and outline.
import { once } from "./button.js";
import { detect, inWords } from "./detector.js";
import { account, signIn, token } from "./session.js";

const by = (id) => document.getElementById(id);
const [sign, signed, signTrouble, upload, drop, file, send, busy, result, trouble, image] =
  ["sign", "signed", "sign-trouble", "upload", "drop", "file", "send", "busy", "result", "trouble", "overlay"].map(by);

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
  place.textContent = inWords(error);
  if (error.code) {
    const code = document.createElement("code");
    code.textContent = error.code;
    place.append(" (", code, ")");
  }
  place.hidden = false;
}

sign.addEventListener("submit", (event) => {
  event.preventDefault();
  once(sign.querySelector("button"), async () => {
    signTrouble.hidden = true;
    const told = new FormData(sign);
    try {
      await signIn(told.get("email"), told.get("password"), told.get("invitation"));
      sign.querySelector("[name=password]").value = "";
      file.focus();
    } catch (error) {
      complain(signTrouble, error);
    }
  });
});

function choose(files) {
  chosen = files[0] || null;
  trouble.hidden = true;
  clear();
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

upload.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!chosen || !token()) return;
  once(send, async () => {
    trouble.hidden = true;
    clear();
    busy.textContent = "Looking …";
    const asked = chosen;
    try {
      const { told, picture } = await detect(asked, asked.name);
      if (asked !== chosen) return; // another file was chosen meanwhile
      describe(told);
      draw(picture, told);
    } catch (error) {
      if (asked === chosen) complain(trouble, error);
      if (!token()) sign.querySelector("[name=email]").focus(); // the session has ended
    } finally {
      busy.textContent = "";
    }
  });
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
  const facts = [["Probability", probability.toFixed(3)], ["Threshold", threshold.toFixed(3)], ["Model", told.model]];
  if (told.slices > 1) {
    facts.push(["Highest at", `slice ${told.slice + 1} of ${told.slices}${told.plane ? `, ${told.plane}` : ""}`]);
    if (told.declined_slices) facts.push(["Slices without brain", told.declined_slices]);
  }
  if (told.lesion) {
    const { box, area_px: pixels, area_mm2: area } = told.lesion;
    facts.push(["Outlined area", area ? `${Math.round(area)} mm² (${pixels} px)` : `${pixels} px`]);
    facts.push(["Box", `rows ${box.top} to ${box.bottom - 1}, columns ${box.left} to ${box.right - 1}`]);
  }
  by("details").replaceChildren(...facts.flatMap(([name, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
  result.hidden = false;
}

/** Take away what was said of the file before. */
function clear() {
  result.hidden = true;
  image.hidden = true;
  image.removeAttribute("src");
  by("empty").hidden = false;
  if (shown) URL.revokeObjectURL(shown);
  shown = null;
}

function draw(blob, told) {
  shown = URL.createObjectURL(blob);
  image.src = shown;
  image.alt = told.result === "Tumor" ? "Your scan with the outline of what the detector takes for a tumour" : "Your scan, nothing outlined";
  image.hidden = false;
  by("empty").hidden = true;
}

document.addEventListener("account", tell);
tell();
