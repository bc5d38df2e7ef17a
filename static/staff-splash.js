// The reading room's screen: asks every few seconds what the newest study is, shows code and password for their time and
// covers them again, fills the screen on request. Nothing flashes and nothing sounds. Without script: a page to reload.
const splash = document.querySelector("[data-splash]");
const said = document.querySelector("[data-splash-said]");
const full = document.querySelector("[data-full]");
const EVERY = 4_000; // ms
let cover = 0, asking = false;

const part = () => splash.querySelector("[data-part=newest]");
const put = (html) => {
  const now = new DOMParser().parseFromString(html, "text/html").querySelector("[data-part=newest]");
  if (!now) return false;
  const focused = document.activeElement?.id;
  part().replaceWith(document.importNode(now, true));
  clearTimeout(cover);
  const seconds = Number(now.dataset.uncovered);
  if (seconds) cover = setTimeout(() => ask({ anew: true }), seconds * 1000);
  const other = { "splash-uncover": "splash-cover", "splash-cover": "splash-uncover" }[focused];
  const next = document.getElementById(focused) ?? document.getElementById(other);
  if (focused && next) next.focus({ preventScroll: true });
  return true;
};
const coverUp = () => { // also when nobody answers: what was uncovered never stays
  for (const secret of splash.querySelectorAll(".uncovered .secret")) secret.textContent = "•••• •••• ••••";
};

const ask = async ({ anew = false } = {}) => {
  if (asking && !anew) return;
  asking = true;
  if (anew) coverUp();
  try {
    const answer = await fetch(`${splash.dataset.newest}?seen=${anew ? "" : part().dataset.digest}`, { redirect: "error" });
    if (answer.status === 401) document.dispatchEvent(new Event("staff-locked"));
    else if (answer.status === 200) put(await answer.text());
    if (answer.status >= 500) throw new Error("away");
    said.textContent = "";
  } catch { said.textContent = splash.dataset.awayText; }
  asking = false;
};

addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.hasAttribute("data-uncover")) return;
  event.preventDefault();
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "error" });
    if (answer.status === 401) document.dispatchEvent(new Event("staff-locked"));
    else if (!answer.ok || !put(await answer.text())) location.reload();
  } catch { said.textContent = splash.dataset.awayText; }
});
splash.addEventListener("click", (event) => {
  if (!event.target.closest("[data-cover]")) return;
  event.preventDefault();
  ask({ anew: true });
});

// What is uncovered stays for its time; meanwhile nothing takes its place.
setInterval(() => { if (!document.hidden && !part().dataset.uncovered) ask(); }, EVERY);
document.addEventListener("visibilitychange", () => { if (!document.hidden && !part().dataset.uncovered) ask(); });
if (Number(part().dataset.uncovered)) cover = setTimeout(() => ask({ anew: true }), Number(part().dataset.uncovered) * 1000);

if (document.fullscreenEnabled) {
  const enter = full.textContent;
  full.hidden = false;
  full.addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : splash.requestFullscreen()));
  document.addEventListener("fullscreenchange", () => { full.textContent = document.fullscreenElement ? full.dataset.leaveText : enter; });
}
