// On every page of a visit: says two minutes ahead that it will end, and covers the page once it has, without a press
// and also when the tab slept. Asking the server how long it goes on is no use of it; "I'm still here" is.
// Without script the server ends it all the same, and the next press says so.
const veil = document.querySelector("[data-visit]");
const find = (name) => veil.querySelector(`[data-${name}]`);
const box = veil.querySelector(".asks"), here = find("here"), understood = find("understood"), note = find("note");
const WARN = 120, ASK_EVERY = 15; // seconds
let idleAt, limitAt; // moments by the clock on the wall: a sleeping computer stops every other one
let ahead; // how many seconds before the end it warns: half of a short visit
let asking = null, pressed = false, over = false, limitUnderstood = false, timer = 0, lastAsked = 0, cameFrom = null;

const take = (left) => {
  const now = Date.now();
  idleAt = now + left.idle * 1000;
  limitAt = now + left.limit * 1000;
  lastAsked = now;
};
const seconds = (moment) => Math.ceil((moment - Date.now()) / 1000);

// Nothing of the study stays on the screen: the page's own content is taken out of it.
const cover = () => {
  if (over) return;
  over = true;
  clearTimeout(timer);
  const title = document.createElement("h1"), text = document.createElement("p"), way = document.createElement("p");
  const again = document.createElement("a"), main = document.createElement("main");
  title.textContent = document.title = veil.dataset.overTitle;
  text.textContent = veil.dataset.over;
  again.textContent = veil.dataset.again;
  again.href = veil.dataset.closed;
  again.className = "button";
  way.append(again);
  main.className = "column";
  main.append(title, text, way);
  document.body.className = "page";
  document.body.replaceChildren ? document.body.replaceChildren(main) : (document.body.textContent = "", document.body.append(main));
  document.documentElement.hidden = false;
  if (navigator.onLine) location.replace(veil.dataset.closed); // which says why
};

const rest = () => [...document.body.children].filter((one) => one !== veil);
const open = (isLimit) => {
  find("of-idle").hidden = isLimit;
  find("of-limit").hidden = !isLimit;
  here.hidden = isLimit;
  understood.hidden = !isLimit;
  if (!veil.hidden) return;
  cameFrom = document.activeElement;
  veil.hidden = false;
  for (const one of rest()) one.inert = true;
  veil.querySelector("h2").focus();
};
const shut = () => {
  if (veil.hidden) return;
  veil.hidden = true;
  note.textContent = "";
  for (const one of rest()) one.inert = false;
  if (cameFrom && cameFrom.focus) cameFrom.focus({ preventScroll: true });
};

// Another page, or the viewer, may have kept the visit alive, or ended it.
const send = async (method) => {
  try {
    const headers = { "X-CSRFToken": veil.querySelector("[name=csrf_token]").value };
    const answer = await fetch(method === "POST" ? veil.dataset.stay : veil.dataset.ask, { method, headers, cache: "no-store" });
    if (answer.ok) take(await answer.json());
    else if (answer.status === 403) cover();
    else throw new Error(answer.status);
    if (method === "POST" && !over) shut();
  } catch (error) {
    lastAsked = Date.now();
    if (method === "POST") note.textContent = veil.dataset.offline;
  }
};
const ask = (method) => {
  if (over) return Promise.resolve();
  if (asking) { // a press while it asks is not lost
    pressed = pressed || method === "POST";
    return asking;
  }
  asking = send(method).then(() => {
    asking = null;
    const again = pressed;
    pressed = false;
    return again ? ask("POST") : look();
  });
  return asking;
};

function look() {
  if (over) return;
  clearTimeout(timer);
  const toLimit = seconds(limitAt), toIdle = seconds(idleAt), left = Math.min(toLimit, toIdle);
  if (left <= 0) {
    // A clock that was set, or a use elsewhere that this page doesn't know of: the server has the last word, but
    // until it has spoken nothing is shown.
    document.documentElement.hidden = true;
    const late = setTimeout(cover, 5000);
    ask("GET").then(() => {
      clearTimeout(late);
      if (over || Math.min(seconds(limitAt), seconds(idleAt)) <= 0) cover();
      else document.documentElement.hidden = false;
    });
    return;
  }
  const isLimit = toLimit <= toIdle;
  const warns = left <= ahead && !(isLimit && limitUnderstood);
  if (warns && Date.now() - lastAsked >= ASK_EVERY * 1000) ask("GET");
  if (warns) {
    open(isLimit);
    find("left").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  } else shut();
  timer = setTimeout(look, warns ? 1000 : Math.min(left > ahead ? left - ahead : left, 3600) * 1000);
}

here.addEventListener("click", () => ask("POST"));
understood.addEventListener("click", () => { limitUnderstood = true; look(); });
veil.addEventListener("keydown", (event) => {
  if (event.key === "Escape") (here.hidden ? understood : here).click();
  if (event.key !== "Tab") return;
  const stops = [...box.querySelectorAll("button")].filter((one) => !one.hidden);
  const edge = event.shiftKey ? stops[0] : stops[stops.length - 1];
  if (document.activeElement !== edge && box.contains(document.activeElement) && document.activeElement.tagName === "BUTTON") return;
  event.preventDefault();
  (event.shiftKey ? stops[stops.length - 1] : stops[0]).focus();
});
// Seen again after a while, perhaps by somebody else: whatever ended it meanwhile counts before anything is read.
const seen = () => {
  if (document.visibilityState === "hidden" || over) return;
  if (Math.min(seconds(limitAt), seconds(idleAt)) <= 0) look();
  else ask("GET");
};
take({ idle: Number(veil.dataset.idle), limit: Number(veil.dataset.limit) });
ahead = Math.min(WARN, (idleAt - Date.now()) / 2000);
document.addEventListener("visibilitychange", seen);
addEventListener("pageshow", (event) => { if (event.persisted) seen(); });
addEventListener("online", seen);
look();
