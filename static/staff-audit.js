// On the audit page: the check of the trail goes step by step and shows how far it is, and the head can be copied.
// Without this script one request checks everything, and the head is selected by hand.
const form = document.querySelector("[data-verify]");
const button = form.querySelector("button[type=submit]");
const box = form.querySelector("[data-progress]");
const bar = box.querySelector("progress");
const said = box.querySelector("[role=status]");

const step = async (walk) => {
  const body = new FormData(form);
  body.set("walk", walk);
  const response = await fetch(form.action, { method: "POST", body });
  const isOurs = response.headers.get("Content-Type")?.startsWith("application/json");
  if (!isOurs) return form.submit(); // signed out, or a head that is none: its page says so
  const told = await response.json();
  if (told.gone) throw new Error("gone");
  if (told.done) {
    const here = new URL(location.href);
    here.hash = "whole";
    // The same address with another fragment alone would load nothing.
    history.replaceState(null, "", here);
    return location.reload();
  }
  bar.max = Math.max(told.rows, 1);
  bar.value = told.checked;
  said.textContent = told.text;
  return step(told.walk);
};

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  box.hidden = false;
  bar.removeAttribute("value");
  said.textContent = "";
  try {
    await step("");
  } catch {
    said.textContent = form.dataset.gone;
    bar.value = 0;
    button.disabled = false;
  }
});

const copy = document.querySelector("[data-copy]");
copy.hidden = false;
copy.addEventListener("click", async () => {
  const source = document.getElementById(copy.dataset.copy);
  const label = copy.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
  } catch { // no clipboard on plain http: selected, so that Ctrl+C takes it
    return getSelection().selectAllChildren(source);
  }
  copy.textContent = copy.dataset.done;
  setTimeout(() => { copy.textContent = label; }, 4000);
});
