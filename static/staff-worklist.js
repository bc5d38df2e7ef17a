// On the list of studies; it works without. Keys (j, k, p, x, ?), the count of what is selected, and every few seconds
// what is new: rows appear above, states change in their cells, and neither the focus nor what is read moves.
const table = document.querySelector(".studies.list");
const rows = table?.tBodies[0];
const links = () => [...(rows?.querySelectorAll(".patient a") ?? [])];
const boxes = () => [...(rows?.querySelectorAll("[name=study]") ?? [])];
const rowOf = (element) => element?.closest?.("[data-study]");
const counted = (text, n) => text.replace("{n}", n);

// Choosing a filter is asking for it.
for (const select of document.querySelectorAll("[data-filter]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// What is selected
const bar = document.querySelector("[data-selected]");
const all = document.querySelector("[data-all]");
const count = () => {
  if (!bar) return;
  const picked = boxes().filter((box) => box.checked).length;
  const told = bar.querySelector("[data-count]");
  bar.hidden = picked === 0;
  bar.querySelector("[data-clear]").hidden = false;
  const text = counted(told.dataset.text, picked);
  if (told.textContent !== text) told.textContent = text;
  all.checked = picked > 0 && picked === boxes().length;
  all.indeterminate = picked > 0 && !all.checked;
};
const pickAll = (value) => {
  for (const box of boxes()) box.checked = value;
  count();
};
if (bar) {
  all.hidden = false;
  all.addEventListener("change", () => pickAll(all.checked));
  rows.addEventListener("change", count);
  bar.querySelector("[data-clear]").addEventListener("click", () => {
    pickAll(false);
    links()[0]?.focus();
  });
  count();
}

// Keys of one letter can be switched off (WCAG 2.1.4): somebody who speaks to the computer types by accident.
const KEYS = "studykey-keys";
const sheet = document.querySelector("[data-keys-sheet]");
const button = document.querySelector("[data-keys]");
const toggle = document.querySelector("[data-keys-on]");
const areKeysOn = () => { try { return localStorage.getItem(KEYS) !== "off"; } catch { return true; } };
if (sheet) {
  button.hidden = false;
  button.addEventListener("click", () => sheet.showModal());
  toggle.checked = areKeysOn();
  toggle.addEventListener("change", () => { try { localStorage.setItem(KEYS, toggle.checked ? "on" : "off"); } catch { /* for this page then */ } });
}
let last = null; // the row that had the focus last
rows?.addEventListener("focusin", (event) => { last = rowOf(event.target); });
const step = (by) => {
  const there = links();
  const from = there.findIndex((link) => rowOf(link) === (rowOf(document.activeElement) ?? last));
  const to = there[from === -1 ? 0 : from + by];
  to?.focus();
  rowOf(to)?.scrollIntoView({ block: "nearest" });
};
const here = () => rowOf(document.activeElement) ?? (last?.isConnected ? last : null);
const acts = {
  j: () => step(1),
  k: () => step(-1),
  x: () => {
    const box = here()?.querySelector("[name=study]");
    if (!box) return;
    box.checked = !box.checked;
    count();
  },
  p: () => {
    const form = document.getElementById("print-one"), row = here();
    if (!form || !row) return;
    form.action = form.dataset.address.replace("/0/", `/${row.dataset.study}/`);
    form.submit();
  },
  "?": () => sheet?.showModal(),
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || sheet?.open) return;
  const isInRow = rowOf(event.target) !== null && rowOf(event.target) !== undefined;
  if (isInRow && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    return step(event.key === "ArrowDown" ? 1 : -1);
  }
  const isTyping = event.target.closest("input:not([type=checkbox]), textarea, select");
  // From the search field the arrow leads into the list.
  if (event.target.id === "q" && event.key === "ArrowDown") return step(1);
  if (isTyping || !areKeysOn() || !acts[event.key]) return;
  event.preventDefault();
  acts[event.key]();
});

// What is new
const stopped = document.querySelector("[data-stopped]");
const announce = document.querySelector("[data-announce]");
const newer = document.querySelector("[data-newer]");
const isFiltered = rows?.hasAttribute("data-filtered");
const EVERY = isFiltered ? 15_000 : 5_000; // ms; a search costs more than the newest page
const LONGEST = 200; // rows that a page grows to
const newest = Math.max(0, ...[...(rows?.rows ?? [])].map((row) => Number(row.dataset.study)));
let timer = null, isOver = false;

const stop = (why) => {
  for (const reason of stopped.querySelectorAll("[data-why]")) reason.hidden = reason.dataset.why !== why;
  stopped.querySelector("[data-again]").hidden = why === "unreachable";
  stopped.hidden = false;
  isOver = why !== "unreachable";
};
const put = (fresh) => {
  rows.dataset.digest = fresh.dataset.digest;
  const known = new Map([...rows.rows].map((row) => [row.dataset.study, row]));
  const added = [];
  for (const row of [...fresh.rows]) {
    const old = known.get(row.dataset.study);
    if (!old) { if (Number(row.dataset.study) > newest) added.push(row); continue; }
    old.className = row.className;
    [...row.cells].forEach((cell, i) => {
      const was = old.cells[i];
      if (cell.classList.contains("pick") || was.innerHTML === cell.innerHTML) return;
      const hadFocus = was.contains(document.activeElement);
      was.innerHTML = cell.innerHTML;
      if (hadFocus) was.querySelector("a")?.focus({ preventScroll: true });
    });
  }
  if (!added.length) return;
  if (isFiltered) { // what is being read through stays as it is
    newer.querySelector("a").textContent = counted(announce.dataset.text, added.length);
    newer.hidden = false;
  } else {
    const height = document.documentElement.scrollHeight, top = scrollY;
    rows.prepend(...added.map((row) => { row.classList.add("fresh"); return document.adoptNode(row); }));
    table.hidden = false;
    document.querySelector("[data-empty]")?.remove();
    while (rows.rows.length > LONGEST) rows.lastElementChild.remove();
    if (top > 0) scrollTo({ top: top + document.documentElement.scrollHeight - height, behavior: "instant" });
    count();
  }
  announce.textContent = counted(announce.dataset.text, added.length);
};
const look = async () => {
  timer = null;
  try {
    const address = new URL(rows.dataset.news, location.href);
    address.searchParams.set("digest", rows.dataset.digest);
    const answer = await fetch(address, { redirect: "manual", cache: "no-store" });
    if (answer.status === 401) stop((await answer.text()) === "locked" ? "locked" : "signed-out");
    else if (answer.type === "opaqueredirect" || answer.status === 404) stop("signed-out");
    else if (answer.status === 200) {
      put(new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("tbody"));
      stopped.hidden = true;
    } else if (answer.status === 204) stopped.hidden = true;
    else stop("unreachable");
  } catch { stop("unreachable"); }
  wait();
};
const wait = () => {
  if (!isOver && !document.hidden && timer === null) timer = setTimeout(look, EVERY);
};
if (rows?.dataset.news) {
  wait();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { clearTimeout(timer); timer = null; }
    else if (!isOver && timer === null) look();
  });
}
