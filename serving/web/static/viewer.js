// The viewer of one series: wheel, keys, drag, slider and strip all move one number; neighbours are fetched ahead.
import { detect, inWords } from "./detector.js";
import { ask, token } from "./session.js";

const AHEAD = 6;       // slices fetched on each side of the one that is shown
const KEPT = 160;      // decoded pictures kept, about 30 MB
const WHEEL_STEP = 40; // pixels of a trackpad's wheel that count as one slice
const DRAG_STEP = 6;   // pixels of a drag that count as one slice

const root = document.getElementById("viewer");
const data = document.getElementById("tracks");
if (root && data) start(JSON.parse(data.textContent));

function start(told) {
  const by = (id) => document.getElementById(id);
  const [stage, picture, shown, slider, outline, said] =
    ["stage", "picture", "shown", "slider", "outline", "said"].map(by);
  const tracks = new Map(told.tracks.map((track) => [track.plane, track]));
  const at = new Map(told.tracks.map((track) => [track.plane, track.start]));
  const pictures = new Map();
  let track = tracks.get(told.plane);
  let index = told.index;
  let overlay = null; // address of the outline that is shown
  let outlining = false;
  let asked = null;

  const address = (of, number) => of.first.replace(/-\d+\.jpg/, `-${number}.jpg`);
  const place = (of, number) => {
    const position = of.positions[number];
    return `${position >= 0 ? of.up : of.down} ${Math.abs(position).toFixed(1)} mm`;
  };

  function load(url) {
    let entry = pictures.get(url);
    if (entry) pictures.delete(url);
    else entry = (told.restricted ? guarded(url) : open(url)).catch((error) => { pictures.delete(url); throw error; });
    pictures.set(url, entry); // the newest last, so that the first is the one to forget
    if (pictures.size > KEPT) {
      const [oldest, gone] = pictures.entries().next().value;
      pictures.delete(oldest);
      gone.then((ready) => { if (ready !== oldest) URL.revokeObjectURL(ready); }, () => {});
    }
    return entry;
  }

  async function open(url) {
    const image = new Image();
    image.src = url;
    try { await image.decode(); } catch { throw new Error("This slice cannot be loaded now."); }
    return url;
  }

  /** A slice that only accounts with accepted terms may see: an address alone cannot carry the token. */
  async function guarded(url) {
    if (!token()) throw new Error("These slices need accepted terms of use: sign in, then accept them under Download.");
    return open(URL.createObjectURL(await (await ask(url)).blob()));
  }

  function show(number, { quiet = false } = {}) {
    index = Math.max(0, Math.min(track.positions.length - 1, number));
    at.set(track.plane, index);
    const now = index, of = track, url = address(track, index);
    slider.value = index + 1;
    forget();
    load(url).then((ready) => {
      if (now !== index || of !== track) return;
      if (!overlay) shown.setAttribute("href", ready);
      describe(of, now);
      for (let step = 1; step <= AHEAD; step += 1) {
        for (const next of [now + step, now - step]) {
          if (next >= 0 && next < of.positions.length) load(address(of, next)).catch(() => {});
        }
      }
    }, (error) => { said.textContent = inWords(error); });
    if (!quiet) remember();
    if (outlining) later();
  }

  /** Number, position, score and sides of the picture that is shown: told when it is there, not when it is asked for. */
  function describe(of, number) {
    const words = `Slice ${number + 1} of ${of.positions.length}, ${place(of, number)}`;
    picture.setAttribute("viewBox", `0 0 ${of.width} ${of.height}`);
    picture.setAttribute("aria-label", `${of.plane} ${words}`);
    shown.setAttribute("width", of.width);
    shown.setAttribute("height", of.height);
    by("ruler").setAttribute("transform", `translate(${of.width - told.ruler - 5} ${of.height - 6})`);
    by("ruler").querySelector("text").setAttribute("font-size", of.height * 0.022);
    for (const edge of stage.querySelectorAll("[data-edge]")) edge.textContent = of.sides[edge.dataset.edge];
    by("number").textContent = number + 1;
    by("total").textContent = of.positions.length;
    by("place").textContent = place(of, number);
    by("verdict").textContent = verdict(of, number);
    slider.setAttribute("aria-valuetext", words);
    root.querySelector(`.strip[data-plane="${of.plane}"] .here`).setAttribute("x", number);
    by("slice-curl").textContent = `curl -s -o slice.jpg '${location.origin}${address(of, number)}'`;
  }

  function verdict(of, number) {
    const score = of.scores[number], label = of.tumor[number];
    const parts = [];
    if (score !== null && score !== undefined) parts.push(`score ${score.toFixed(2)}`);
    if (label !== null) parts.push(label ? "labelled tumour" : "labelled free of tumour");
    return parts.join(" · ");
  }

  let remembering = 0;
  function remember() {
    clearTimeout(remembering); // browsers refuse more than about a hundred changes of the address in half a minute
    remembering = setTimeout(() => {
      const url = new URL(location.href);
      url.searchParams.set("plane", track.plane);
      url.searchParams.set("slice", index + 1);
      history.replaceState(null, "", url);
    }, 250);
  }

  function turn(plane) {
    const next = tracks.get(plane);
    if (!next || next === track) return;
    track = next;
    for (const link of root.querySelectorAll("a[data-plane]")) {
      if (link.dataset.plane === plane) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    for (const strip of root.querySelectorAll(".strip")) strip.hidden = strip.dataset.plane !== plane;
    slider.max = track.positions.length;
    show(at.get(plane));
    said.textContent = `${plane}, slice ${index + 1} of ${track.positions.length}`;
  }

  // wheel
  let rolled = 0;
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey) return; // the browser's own zoom
    event.preventDefault();
    rolled += event.deltaMode === 0 ? event.deltaY : event.deltaY * WHEEL_STEP;
    const steps = Math.trunc(rolled / WHEEL_STEP);
    if (steps) { rolled -= steps * WHEEL_STEP; show(index + steps); }
  }, { passive: false });

  // drag, by mouse or finger: up and to the right is onward
  let held = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = { x: event.clientX, y: event.clientY, index };
    stage.setPointerCapture(event.pointerId);
    slider.focus({ preventScroll: true });
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (!held) return;
    const moved = (event.clientX - held.x) - (event.clientY - held.y);
    const next = held.index + Math.trunc(moved / DRAG_STEP);
    if (next !== index) show(next);
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { held = null; });

  // slider and strip
  slider.disabled = false;
  slider.addEventListener("input", () => show(Number(slider.value) - 1));
  for (const strip of root.querySelectorAll(".strip")) {
    const point = (event) => {
      const box = strip.getBoundingClientRect();
      show(Math.floor(((event.clientX - box.left) / box.width) * track.positions.length));
    };
    strip.addEventListener("pointerdown", (event) => {
      strip.setPointerCapture(event.pointerId);
      slider.focus({ preventScroll: true });
      event.preventDefault();
      point(event);
    });
    strip.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
  }

  // keys: on the slider all of them; elsewhere on the page only those that do not scroll it
  by("keys").hidden = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const target = event.target;
    if (target !== slider && /^(INPUT|SELECT|TEXTAREA|CODE)$/.test(target.tagName)) return;
    const last = track.positions.length - 1;
    const steps = { ArrowRight: 1, ArrowLeft: -1 };
    const onSlider = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -last, End: last };
    const step = steps[event.key] ?? (target === slider ? onSlider[event.key] : undefined);
    const planes = [...tracks.keys()];
    if (step !== undefined) show(index + step);
    else if (planes[Number(event.key) - 1]) turn(planes[Number(event.key) - 1]);
    else if (event.key === "o" || event.key === "O") outline.click();
    else return;
    event.preventDefault();
  });

  // planes
  for (const link of root.querySelectorAll("a[data-plane]")) {
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      turn(link.dataset.plane);
    });
  }

  // outline: the detector draws it on the slice that is shown, for whoever is signed in
  outline.hidden = false;
  outline.addEventListener("click", () => {
    outlining = !outlining;
    outline.setAttribute("aria-pressed", String(outlining));
    said.textContent = "";
    if (!outlining) { show(index, { quiet: true }); return; }
    later(0);
  });

  let waiting = 0;
  function later(wait = 300) {
    clearTimeout(waiting);
    waiting = setTimeout(draw, wait);
  }

  async function draw() {
    if (!token()) {
      outlining = false;
      outline.setAttribute("aria-pressed", "false");
      said.replaceChildren("The detector draws it for accounts: ", link(told.signIn, "sign in"));
      return;
    }
    asked?.abort();
    asked = new AbortController();
    const now = index, of = track;
    said.textContent = "Looking …";
    try {
      const slice = await (await ask(address(of, now), { signal: asked.signal })).blob();
      const { told: answer, picture: drawn } = await detect(slice, "slice.jpg", { signal: asked.signal });
      if (now !== index || of !== track || !outlining) return;
      forget();
      overlay = URL.createObjectURL(drawn);
      shown.setAttribute("href", overlay);
      said.textContent = `${answer.result}, probability ${answer.probability.toFixed(2)}, ${answer.lesion ? "outlined" : "nothing to outline"}`;
    } catch (error) {
      if (error.name !== "AbortError") said.textContent = inWords(error);
    }
  }

  function forget() {
    if (overlay) URL.revokeObjectURL(overlay);
    overlay = null;
  }

  function link(url, text) {
    const made = document.createElement("a");
    made.href = url;
    made.textContent = text;
    return made;
  }

  show(index, { quiet: true });
}
