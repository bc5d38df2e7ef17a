// What is in view beside a report: the printed page a moment after a pause in typing, the study's pictures, earlier reports.
// A new page takes the place of the old one only once it is there; which view was chosen last is the next study's first.
const form = document.querySelector("[data-report]");
const beside = document.querySelector("[data-beside]");
const buttons = [...beside.querySelectorAll("[data-view]")];
const panels = [...beside.querySelectorAll("[data-of]")];
const pages = beside.querySelector("[data-pages]"), pageSaid = beside.querySelector("[data-page-said]");
const PAUSE = 900, CHOICE = "studykey-beside"; // ms
const isNarrow = matchMedia("(max-width: 67.99em)");
let view = "", timer = 0, making = null, isStale = true, hasPictures = false;

const make = async () => {
  if (view !== "page" || !isStale) return;
  if (making) return; // the one under way, then the newest
  isStale = false;
  making = new FormData(form);
  making.set("in_place", "1");
  if (!pages.childElementCount) pageSaid.textContent = pages.dataset.busyText;
  try {
    const answer = await fetch(form.dataset.preview, { method: "POST", body: making });
    if (answer.ok && !answer.redirected) {
      const made = new DOMParser().parseFromString(await answer.text(), "text/html");
      const pictures = [...made.querySelectorAll("img")];
      await Promise.all(pictures.map((picture) => picture.decode().catch(() => {})));
      pages.replaceChildren(...[...made.body.children].map((one) => document.importNode(one, true)));
      pageSaid.textContent = "";
    } else {
      pageSaid.textContent = pages.dataset.failedText;
      isStale = true;
    }
  } catch {
    pageSaid.textContent = pages.dataset.failedText;
    isStale = true;
  }
  making = null;
  if (isStale) plan();
};
const plan = (after = PAUSE) => {
  clearTimeout(timer);
  timer = setTimeout(make, after);
};
form.addEventListener("input", (event) => {
  if (!event.target.matches("textarea, #reason")) return;
  isStale = true;
  plan();
});

const loadPictures = async (panel) => {
  if (hasPictures) return;
  hasPictures = true;
  try {
    const answer = await fetch(panel.dataset.from);
    if (!answer.ok || answer.redirected) throw new Error();
    const part = new DOMParser().parseFromString(await answer.text(), "text/html");
    panel.replaceChildren(...[...part.body.children].map((one) => document.importNode(one, true)));
    const look = panel.querySelector("[data-look]");
    if (look) lookAt(look);
  } catch {
    hasPictures = false;
    const words = document.createElement("p");
    words.className = "soft";
    words.textContent = panel.dataset.failedText;
    panel.replaceChildren(words);
  }
};

// One picture at a time: the newest wish is loaded next, what was passed by is never asked for.
const lookAt = (look) => {
  const series = look.querySelector("[data-series]"), slide = look.querySelector("[data-slide]");
  const picture = look.querySelector("[data-picture]"), place = look.querySelector("[data-place]"), word = look.querySelector("[data-look-said]");
  let wanted = "", isLoading = false, rolled = 0;
  const count = () => Number(series.selectedOptions[0].dataset.count);
  const next = () => {
    if (isLoading || !wanted) return;
    const address = wanted, image = new Image();
    wanted = "";
    isLoading = true;
    image.onload = image.onerror = (event) => {
      isLoading = false;
      word.textContent = event.type === "error" ? look.dataset.failed : "";
      if (event.type === "load") { picture.src = image.src; picture.alt = `${series.selectedOptions[0].textContent}, ${place.textContent}`; }
      next();
    };
    image.src = address;
  };
  const go = (number) => {
    slide.value = number;
    place.textContent = look.dataset.position.replace("{number}", slide.value).replace("{count}", count());
    slide.setAttribute("aria-valuetext", place.textContent);
    wanted = `${look.dataset.look}/${series.value}/${slide.value}.jpg`;
    next();
  };
  const begin = () => {
    slide.max = count();
    slide.closest(".slide").hidden = count() < 2;
    go(Math.ceil(count() / 2)); // the middle, where there is most to see
  };
  series.addEventListener("change", begin);
  slide.addEventListener("input", () => go(slide.value));
  look.querySelector(".beside-stage").addEventListener("wheel", (event) => {
    if (event.ctrlKey || count() < 2) return;
    event.preventDefault();
    rolled += event.deltaY * [1, 16, 400][event.deltaMode];
    const steps = Math.abs(event.deltaY) >= 50 ? Math.sign(event.deltaY) : Math.trunc(rolled / 30);
    if (steps) { rolled = 0; go(Number(slide.value) + steps); }
  }, { passive: false });
  begin();
};

const show = (chosen) => {
  view = chosen;
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  for (const panel of panels) panel.hidden = panel.dataset.of !== view;
  if (view === "page") plan(0);
  if (view === "images") loadPictures(panels.find((panel) => panel.dataset.of === "images"));
};
const choose = (chosen) => {
  show(chosen);
  try { localStorage.setItem(CHOICE, chosen); } catch { /* nowhere to keep it */ }
};
for (const button of buttons) button.addEventListener("click", (event) => {
  event.preventDefault();
  choose(button.dataset.view);
});
addEventListener("keydown", (event) => {
  if (event.key !== "F8" || event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  const at = buttons.findIndex((button) => button.dataset.view === view);
  choose(buttons[(at + 1) % buttons.length].dataset.view);
});

let first = new URLSearchParams(location.search).get("beside");
try { first ??= localStorage.getItem(CHOICE); } catch { /* nowhere to keep it */ }
// Pictures are shown, and recorded, only where somebody asked for them on this very page, or has room for them.
if (!buttons.some((button) => button.dataset.view === first) || (first === "images" && isNarrow.matches)) first = beside.dataset.beside;
show(first);
