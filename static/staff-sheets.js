// Wherever many sheets are printed at once ([data-sheets] on a form, [data-sheets-said] for the words): the PDF takes the
// place of this page when it is ready; what takes longer than a second says so, and isn't sent twice. Works without.
const SLOW = 1000; // ms
const said = document.querySelector("[data-sheets-said]");
let isSent = false, waiting;

const rest = () => {
  clearTimeout(waiting);
  isSent = false;
  if (said) said.textContent = "";
};
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.busyText || event.defaultPrevented) return;
  if (isSent) return event.preventDefault();
  isSent = true;
  waiting = setTimeout(() => { if (said) said.textContent = form.dataset.busyText; }, SLOW);
  // A browser that puts the file away instead of showing it stays on this page.
  setTimeout(rest, 60_000);
});
addEventListener("pagehide", rest);
