// On every staff page; pages work without it. "/" goes to the search field, what went wrong gets the focus, and
// "Back" never shows a page that was left: on a shared computer it may be another person's.
const search = document.querySelector("[data-search]");
const isTyping = (element) => element.closest("input, textarea, select, [contenteditable]") !== null;

// Keys of one letter can be switched off in the list's sheet of keys (staff-worklist.js).
const areKeysOn = () => { try { return localStorage.getItem("studykey-keys") !== "off"; } catch { return true; } };

// Shift is allowed: on many keyboards "/" is Shift+7.
if (search) addEventListener("keydown", (event) => {
  if (event.key !== "/" || !areKeysOn() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
  event.preventDefault();
  search.focus();
  search.select();
});
// Arriving with a search, typing replaces it. The page's autofocus may come before or after this.
if (search?.value && [document.body, search].includes(document.activeElement)) {
  search.focus();
  search.select();
}

// The address of what is shown: after a refused POST, and after "?done=…", not the one in the address bar.
const here = document.querySelector("[data-here]")?.dataset.here;
if (here) history.replaceState(null, "", here);

addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.documentElement.hidden = true;
  location.replace(location.pathname + location.search);
});

const first = document.querySelector("[data-focus]");
first?.focus();
// Where writing is what comes next, the cursor is there; not on phones, where a keyboard would cover the page.
if (!first && matchMedia("(pointer: fine)").matches) document.querySelector("[data-start]")?.focus({ preventScroll: true });
