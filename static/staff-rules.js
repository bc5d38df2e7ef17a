// Rules for DICOM tags. While somebody types a value, those that the tag has had are offered; while studies are matched
// in the background, the page says how far it has come. Without it the form and the page say the same when asked.
const WAIT = 250, POLL = 2_000; // ms
const form = document.querySelector("[data-values]");
const known = document.querySelector("#known");
let timer = 0;
let asked = 0;

const offer = async (text) => {
  const mine = ++asked;
  const body = new URLSearchParams({ csrf_token: form.elements.csrf_token.value, tag: tagOf(), text });
  let found;
  try {
    const answer = await fetch(form.dataset.values, { method: "POST", body });
    if (!answer.ok) return;
    found = await answer.json();
  } catch { return; }
  if (mine !== asked) return; // something else was typed meanwhile
  known.replaceChildren(...found.map((value) => Object.assign(document.createElement("option"), { value })));
};

const tagOf = () => (form.elements.tag.value === "other" ? form.elements.keyword.value : form.elements.tag.value);

form?.addEventListener("input", (event) => {
  if (event.target.name !== "value") return;
  clearTimeout(timer);
  timer = setTimeout(() => offer(event.target.value), WAIT);
});
form?.addEventListener("focusin", (event) => {
  if (event.target.name === "value") offer(event.target.value);
});

const place = document.querySelector("[data-progress-from]");
const look = async () => {
  if (!place.querySelector("[data-goes-on]")) return;
  try {
    const answer = await fetch(place.dataset.progressFrom);
    if (!answer.ok) return; // locked or signed out: the page says so itself
    const told = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of told.querySelectorAll("[data-part]")) {
      const shown = document.querySelector(`[data-part=${fresh.dataset.part}]`);
      if (shown.innerHTML !== fresh.innerHTML) shown.replaceWith(document.importNode(fresh, true));
    }
  } catch { /* the next look may succeed */ }
  setTimeout(look, POLL);
};
if (place) setTimeout(look, POLL);
