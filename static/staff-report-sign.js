// Before signing: Escape goes back to writing, and one press signs once.
const back = document.querySelector("[data-back]");
addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  location.assign(back.href);
});
let isSigning = false;
document.querySelector(".signing form")?.addEventListener("submit", (event) => {
  if (isSigning) event.preventDefault();
  isSigning = true;
});
