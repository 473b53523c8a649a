// "More" adds the next page below instead of leaving this one. Without it the link still works.
for (const one of document.querySelectorAll("form")) {
  // Empty fields would only make the address longer.
  one.addEventListener("submit", () => {
    for (const field of one.querySelectorAll("input")) if (!field.value) field.disabled = true;
  });
}
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("input:disabled")) field.disabled = false;
});

const cases = document.getElementById("cases");
document.getElementById("more")?.addEventListener("click", async (event) => {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  const link = event.currentTarget;
  if (link.getAttribute("aria-busy")) return;
  link.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = [...page.querySelectorAll("#cases > li")].map((item) => document.importNode(item, true));
    cases.append(...found);
    document.getElementById("said").textContent = `${found.length} more series`;
    found[0]?.querySelector("a").focus({ preventScroll: true });
    const next = page.getElementById("more");
    if (next) link.href = next.getAttribute("href");
    else link.parentElement.remove();
  } catch {
    location.assign(link.href);
  } finally {
    link.removeAttribute("aria-busy");
  }
});
