// Code and password of a grant, uncovered for a moment: they come here without leaving the page, can be copied, and cover
// themselves again after a minute, when the window loses the focus and when the page is left. Without it a page of
// its own shows them.
const SHOWN_FOR = 60_000; // ms
let timer = 0;

const cover = () => {
  clearTimeout(timer);
  for (const shown of document.querySelectorAll("[data-shown]")) {
    const form = shown.closest("[data-secret]").querySelector("[data-uncover]");
    if (!form) { // the answer to a form that no script sent
      document.documentElement.hidden = true;
      location.replace(shown.querySelector("[data-cover]").href);
      return;
    }
    const hadFocus = shown.contains(document.activeElement);
    shown.remove();
    form.hidden = false;
    if (hadFocus) form.querySelector("button").focus();
  }
};

const copy = async (button, text) => {
  try { await navigator.clipboard.writeText(text); } catch { return; }
  const { copyText, copiedText } = button.closest("[data-shown]").dataset;
  button.textContent = copiedText;
  setTimeout(() => { button.textContent = copyText; }, 2000);
};

const uncovered = (shown) => {
  if (navigator.clipboard) for (const place of shown.querySelectorAll("[data-copied]")) {
    const button = Object.assign(document.createElement("button"), {
      type: "button", className: "button quiet slight", textContent: shown.dataset.copyText,
    });
    button.setAttribute("aria-describedby", place.previousElementSibling.id);
    button.addEventListener("click", () => copy(button, place.dataset.copied));
    place.append(" ", button);
  }
  clearTimeout(timer);
  timer = setTimeout(cover, SHOWN_FOR);
};

addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-uncover]");
  if (!form) return;
  event.preventDefault();
  cover();
  let shown = null;
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form) });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    shown = page.querySelector("[data-shown]");
  } catch { /* no answer: the ordinary way says so */ }
  if (!shown) return form.submit();
  shown = document.importNode(shown, true);
  if (document.hidden || !document.hasFocus()) return;
  form.hidden = true;
  form.after(shown);
  uncovered(shown);
  shown.tabIndex = -1;
  shown.focus({ preventScroll: true });
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-cover]")) return;
  event.preventDefault();
  cover();
});
addEventListener("blur", cover);
addEventListener("pagehide", cover);
document.addEventListener("visibilitychange", () => { if (document.hidden) cover(); });

for (const shown of document.querySelectorAll("[data-shown]")) uncovered(shown);
