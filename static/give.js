// On the page with a doctor's code: print, copy (or select, where the browser lets nobody copy), and the phone's own way
// of sending the link. The password is never in what is sent. Without script the page says the same, to be written down.
const acts = document.querySelector("[data-acts]"), said = document.querySelector("[data-said]");
const send = acts.querySelector("[data-send]");
acts.hidden = false;

acts.querySelector("[data-print]").addEventListener("click", () => print());

const select = (element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
};
for (const button of acts.querySelectorAll("[data-copy]")) button.addEventListener("click", async () => {
  const element = document.querySelector(`[data-${button.dataset.copy}]`);
  try {
    await navigator.clipboard.writeText(element.textContent);
    said.textContent = button.dataset.copied;
  } catch (error) { // no clipboard here, or not allowed
    select(element);
    said.textContent = button.dataset.selected;
  }
});

if (navigator.share) {
  send.hidden = false;
  send.addEventListener("click", () => navigator.share({ text: send.dataset.text }).catch(() => {}));
}
