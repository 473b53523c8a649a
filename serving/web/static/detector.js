// Asking the detector: one file out, one answer with its picture back, and errors in words a person can use.
import { ask } from "./session.js";

// What to do about an error, by its stable code; for others the server's own words have to do.
const ADVICE = {
  not_brain_mr: "This does not look like a brain MR, so there is no verdict. The detector knows slices of heads, seen along one of the three axes.",
  image_coloured: "This picture is coloured, and MR never is. Send the slice as a grey picture.",
  image_is_mask: "This looks like a segmentation mask, not like the slice it was drawn on.",
  image_invalid: "This file cannot be read as an image. PNG, JPEG, DICOM, a zip of one DICOM series and NIfTI are understood.",
  image_too_large: "This file is too large. Send one slice, or a smaller volume.",
  request_too_large: "This file is too large. Send one slice, or a smaller volume.",
  model_unavailable: "No model is installed on this server yet.",
  detection_failed: "The detector gave up on this file. Send another one, or a single slice of it.",
  server_busy: "The detector has its hands full.",
  rate_limited: "That was often.",
  credentials_invalid: "E-mail address or password is wrong.",
  token_invalid: "Your session has ended. Sign in again.",
};

export function inWords(error) {
  const seconds = Number(error.retryAfter);
  const wait = error.retryAfter && Number.isFinite(seconds) ? ` Try again in ${seconds} s.` : "";
  return (ADVICE[error.code] || error.message) + wait;
}

const TRIES = 4;
const WAIT_MAX_S = 10;

/** The same call again when all places were taken: a person would press the button again. */
async function patiently(call, signal) {
  for (let left = TRIES - 1; ; left -= 1) {
    try {
      return await call();
    } catch (error) {
      const seconds = Number(error.retryAfter);
      if (error.code !== "server_busy" || !left || !(seconds <= WAIT_MAX_S)) throw error;
      await new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); });
      signal?.throwIfAborted();
    }
  }
}

/** The answer as the API tells it, and the slice with its outline as `picture`. */
export async function detect(file, name, options = {}) {
  const form = new FormData();
  form.append("file", file, name);
  const send = () => ask("/detect?details=1&overlay=1", { method: "POST", body: form, ...options });
  const answer = await patiently(send, options.signal);
  const { overlay_png: encoded, ...told } = await answer.json();
  const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  return { told, picture: new Blob([bytes], { type: "image/png" }) };
}
