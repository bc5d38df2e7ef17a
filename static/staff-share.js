// A share whose code is shown once: what was uncovered covers itself again.
const COVER_AFTER = 60_000; // ms
const once = document.querySelector("details.once");
let timer;
once?.addEventListener("toggle", () => {
  clearTimeout(timer);
  if (once.open) timer = setTimeout(() => { once.open = false; }, COVER_AFTER);
});
