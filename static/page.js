// On every patient page: tells the server whether the screen is narrow, keeps "Back" from showing a page that was
// left (shared computers), and puts the focus on what went wrong. Pages work without it.
const narrow = matchMedia("(max-width: 599px)");
const tellWidth = () => {
  for (const field of document.querySelectorAll("input[name=narrow]")) field.value = narrow.matches ? "1" : "0";
};
tellWidth();
addEventListener("submit", tellWidth, true); // the window may have been turned or resized since

addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  // The browser kept the page in memory: hide it, forget what was typed, ask the server afresh (always with GET).
  document.documentElement.hidden = true;
  for (const form of document.forms) for (const field of form.elements) if (field.type === "text") field.value = "";
  location.replace(location.pathname + location.search);
});

document.querySelector("[data-focus]")?.focus();

// A sheet was scanned while another study is open in this browser (a shared computer): its code leads to the form.
if (location.hash && !document.querySelector("[data-landing]")) location.replace(`/?another${location.hash}`);
