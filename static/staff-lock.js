// On every page of somebody signed in: a page left alone covers itself and tells the server, and the password opens it
// again in place, so that what was typed beneath isn't lost. By the wall clock: a computer that slept is locked when it
// wakes. All tabs lock and unlock together. Without script the server reckons the same from the last request.
const cover = document.querySelector("[data-lock]");
const warning = document.querySelector("[data-lock-warning]");
const WARN = 30_000, STAY_EVERY = 20_000; // ms
const LOOK_EVERY = 1_000;

if (cover) {
  const patience = Number(cover.dataset.seconds) * 1000; // 0: only by hand
  const others = new BroadcastChannel("studykey-staff");
  const unlockForm = cover.querySelector("[data-unlock]");
  const wrong = cover.querySelector(".wrong");
  const token = cover.querySelector("[name=csrf_token]");
  // The server may have begun to count up to a minute before this page came: both lock at the same moment.
  const begun = Date.now() - Math.max(0, patience - Number(cover.dataset.left) * 1000);
  let lastInput = begun, lastTold = begun, isLocked = false, isLeaving = false, before = null;

  const post = (url) => {
    const body = new FormData();
    body.set("csrf_token", token.value);
    body.set("in_place", "1");
    return fetch(url, { method: "POST", body, keepalive: true });
  };
  const warn = (text) => { if (warning.textContent !== text) warning.textContent = text; };

  const lock = ({ tell = true } = {}) => {
    if (isLocked) return;
    isLocked = true;
    warn("");
    before = { title: document.title, top: scrollY, focus: document.activeElement };
    document.title = cover.dataset.title;
    document.documentElement.classList.add("is-covered");
    if (document.fullscreenElement) document.exitFullscreen();
    if (cover.open) cover.close();
    cover.showModal();
    if (wrong) wrong.textContent = "";
    if (!tell) return;
    others.postMessage({ type: "lock" });
    post(cover.dataset.lockUrl).catch(() => {}); // unreachable: the server reckons it itself
  };
  const unlock = () => {
    if (!isLocked) return;
    isLocked = false;
    lastInput = lastTold = Date.now();
    document.title = before.title;
    document.documentElement.classList.remove("is-covered");
    cover.close();
    unlockForm?.reset();
    scrollTo({ top: before.top, behavior: "instant" });
    before.focus?.focus?.({ preventScroll: true });
  };
  // Whoever is signed out, or somebody else by now, sees nothing of what was here.
  const leave = () => {
    if (isLeaving) return;
    isLeaving = true;
    lock({ tell: false });
    location.reload(); // with something unsaved the browser asks first: until then the page stays covered
  };

  const look = () => {
    if (isLocked || !patience) return;
    const alone = Date.now() - lastInput;
    if (alone >= patience) lock();
    else warn(alone >= patience - WARN ? cover.dataset.warnText : "");
    if (!isLocked && lastInput > lastTold && Date.now() - lastTold >= STAY_EVERY) stay();
  };
  const stay = async () => {
    lastTold = Date.now();
    try {
      const answer = await post(cover.dataset.stayUrl);
      if (answer.status === 400) leave(); // the form's token went with the session
      if (answer.status === 401) (await answer.text()) === "locked" ? lock({ tell: false }) : leave();
    } catch { /* unreachable: the next sign of life tells */ }
  };
  const sign = (event) => {
    if (!event.isTrusted || isLocked) return;
    look(); // a computer that just woke is locked before its first key counts
    if (isLocked) return;
    const now = Date.now();
    if (now - lastInput > 2_000) others.postMessage({ type: "input", at: now });
    lastInput = now;
    warn("");
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, sign, { capture: true, passive: true });
  }
  // While it is covered, no key reaches the page's own shortcuts.
  for (const kind of ["keydown", "keypress", "keyup"]) {
    addEventListener(kind, (event) => { if (isLocked) event.stopImmediatePropagation(); }, { capture: true });
  }
  cover.addEventListener("cancel", (event) => event.preventDefault());
  cover.addEventListener("close", () => { if (isLocked) cover.showModal(); });

  addEventListener("keydown", (event) => {
    if (event.key !== "l" || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    lock();
  });
  document.querySelector("[data-lock-button]")?.addEventListener("submit", (event) => {
    event.preventDefault();
    lock();
  });

  unlockForm?.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.textContent = "";
    let answer;
    try {
      await post(cover.dataset.lockUrl); // in case it was out of reach when the page locked
      answer = await fetch(unlockForm.action, { method: "POST", body: new FormData(unlockForm) });
    } catch { /* said below */ }
    if (answer?.status === 204) {
      unlock();
      others.postMessage({ type: "unlock" });
    } else if ([400, 401].includes(answer?.status)) {
      leave();
    } else {
      wrong.textContent = answer?.status === 403 ? cover.dataset.wrongText : cover.dataset.unreachableText;
      unlockForm.elements.password.select();
    }
  });
  for (const form of document.querySelectorAll("[data-cover-leave], form.leave:not([data-lock-button])")) {
    form.addEventListener("submit", () => { isLeaving = true; others.postMessage({ type: "leave" }); });
  }

  others.addEventListener("message", ({ data }) => {
    if (data.type === "input") { look(); if (!isLocked) lastInput = Math.max(lastInput, data.at); }
    if (data.type === "lock") lock({ tell: false });
    if (data.type === "unlock") unlock();
    if (data.type === "leave") setTimeout(leave, 500); // once the server knows
  });
  document.addEventListener("staff-locked", () => lock({ tell: false })); // a request of this page was told so
  setInterval(look, LOOK_EVERY);
  for (const kind of ["focus", "pageshow"]) addEventListener(kind, look);
  document.addEventListener("visibilitychange", look);
}
