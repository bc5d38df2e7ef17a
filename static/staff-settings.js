// On the settings' pages: the colour's sample follows while it is chosen, a logo that is too large isn't sent, leaving with
// something unsaved asks first. Without script: the same forms.
const colour = document.querySelector("[data-colour]");
if (colour) {
  const picker = document.querySelector("[data-picker]");
  const words = document.querySelector("[data-contrast]");
  const light = document.querySelector("[data-swatch]");
  const dark = document.querySelector("[data-swatch-dark]");
  let asked = 0;
  const paint = (swatch, fill, text) => {
    swatch.style.setProperty("background-color", fill);
    swatch.style.setProperty("color", text);
    swatch.style.setProperty("border-color", fill);
  };
  const follow = async () => {
    const wanted = colour.value.trim();
    if (!/^#[0-9a-f]{6}$/i.test(wanted)) return;
    picker.value = wanted.toLowerCase();
    const turn = ++asked;
    try {
      const answer = await fetch(`${colour.dataset.colour}?colour=${encodeURIComponent(wanted)}`, { redirect: "error" });
      if (!answer.ok || turn !== asked) return;
      const sample = await answer.json();
      paint(light, sample.light, sample.light_text);
      paint(dark, sample.dark, sample.dark_text);
      if (words.textContent !== sample.text) words.textContent = sample.text;
    } catch { /* the sample stays as it was; saving says what counts */ }
  };
  let soon;
  const later = () => { clearTimeout(soon); soon = setTimeout(follow, 150); };
  picker.hidden = false;
  picker.addEventListener("input", () => {
    colour.value = picker.value;
    colour.dispatchEvent(new Event("input", { bubbles: true }));
  });
  colour.addEventListener("input", later);
  follow();
}

const logo = document.querySelector("[data-logo]");
logo?.addEventListener("submit", (event) => {
  const [file] = logo.elements.logo.files;
  if (event.submitter?.value !== "upload" || !file || file.size <= Number(logo.dataset.most)) return;
  event.preventDefault();
  logo.elements.logo.setCustomValidity(logo.dataset.mostText);
  logo.elements.logo.reportValidity();
});
logo?.elements.logo.addEventListener("change", () => logo.elements.logo.setCustomValidity(""));

const form = document.querySelector("[data-settings]");
if (form) {
  const said = form.querySelector("[data-changes]");
  const state = () => JSON.stringify([...new FormData(form)].filter(([name]) => name !== "csrf_token"));
  const before = document.querySelector(".summary") ? "" : state();
  let isLeaving = false;
  form.addEventListener("input", () => { said.textContent = state() === before ? "" : said.dataset.text; });
  form.addEventListener("submit", (event) => { isLeaving = !event.submitter?.hasAttribute("data-sample"); });
  addEventListener("beforeunload", (event) => { if (!isLeaving && state() !== before) event.preventDefault(); });
}
