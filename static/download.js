// Says that a download has begun: on many a phone the browser's own sign is small, and people press again. The page works without it.
const link = document.querySelector("[data-download]");
const begun = document.querySelector("[data-begun]");
const SECONDS = 8; // until it may be pressed again

link?.addEventListener("click", (event) => {
  if (link.hasAttribute("aria-disabled")) {
    event.preventDefault();
    return;
  }
  link.setAttribute("aria-disabled", "true");
  begun.textContent = begun.dataset.text;
  setTimeout(() => link.removeAttribute("aria-disabled"), SECONDS * 1000);
});
