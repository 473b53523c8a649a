// A button that works on one thing at a time.

/** Run `work` unless the button is at work already. It is never disabled, which would take the focus from it. */
export async function once(button, work) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try { await work(); } finally { button.removeAttribute("aria-disabled"); }
}
