// Single keys on staff pages: what has a data-key is pressed by it, "?" shows what there is (dialog[data-keys]). Off while
// somebody types, and for whoever has switched it off there (WCAG 2.2, 2.1.4).
const help = document.querySelector("dialog[data-keys]");
const toggle = help?.querySelector("[data-keys-on]");
const OFF = "studykey-keys-off";
const isOff = () => { try { return localStorage.getItem(OFF) === "1"; } catch { return false; } };
const isTyping = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") !== null;

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target.matches("textarea")) return event.target.blur(); // so that keys work again
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (isOff() || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const isHelp = event.key === "?" && help;
  const target = !isHelp && event.key.length === 1 && document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!isHelp && !target) return;
  event.preventDefault();
  if (isHelp) help.showModal();
  else target.click();
});
for (const opener of document.querySelectorAll("[data-keys-open]")) {
  opener.hidden = false;
  opener.addEventListener("click", () => help.showModal());
}
if (toggle) {
  toggle.checked = !isOff();
  toggle.addEventListener("change", () => {
    try { localStorage.setItem(OFF, toggle.checked ? "0" : "1"); } catch { /* nowhere to keep it */ }
  });
}
