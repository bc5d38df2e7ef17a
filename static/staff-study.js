// A study's page, which works without it: what printing changed is shown, and the server learns whether the screen is narrow.
const here = document.querySelector("[data-here]").dataset.here;
const narrow = matchMedia("(max-width: 599px)");
addEventListener("submit", (event) => {
  const field = event.target.querySelector("[name=narrow]");
  if (field) field.value = narrow.matches ? "1" : "0";
}, true);

// The study's page as it is now, where this person can have it.
const ask = async () => {
  try {
    const response = await fetch(here);
    if (!response.ok || !new URL(response.url).pathname.startsWith(here)) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch { return null; }
};
// Put the parts that hold nothing typed as they are now.
const show = (page) => {
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (now) part.replaceWith(document.importNode(now, true)); else part.remove();
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
};

// Printing may have issued a code: coming back to this tab shows it.
let hasPrinted = false;
addEventListener("submit", (event) => { hasPrinted ||= event.target.hasAttribute("data-print"); });
const lookAgain = async () => {
  if (!hasPrinted || document.hidden) return;
  hasPrinted = false;
  const page = await ask();
  if (page) show(page);
};
addEventListener("focus", lookAgain);
document.addEventListener("visibilitychange", lookAgain);
