// The light look: one picture at a time by thumb, wheel, keys or slider. Shows the last picture until the next is
// there, fetches few (two at a time, what is wanted now first) and says in words what keeps a picture away.

const stage = document.querySelector("[data-stage]");
const MAX_IN_FLIGHT = 2;
const KEPT_PIXELS = 24e6; // about ninety slices of 512², or three X-rays
const LOADING_AFTER = 400, FIRST_RETRY = 1000, LAST_RETRY = 15000; // milliseconds
const MAX_FAILURES = 4;

const start = () => {
  const { base, series } = stage.dataset;
  const count = Number(stage.dataset.count);
  const slider = document.querySelector("[data-slider]");
  const note = stage.querySelector("[data-note]"), closedNote = stage.querySelector("[data-closed-note]");
  const place = document.querySelector("[data-position-text]");
  const steps = [...document.querySelectorAll("[data-step]")];
  const kept = new Map(); // number → loaded <img>, oldest use first
  const inFlight = new Map(); // number → <img> being loaded
  const failures = new Map(); // number → times in a row that it failed
  const broken = new Set(); // the archive answers, yet these can't be read
  const initial = Number(stage.dataset.image);
  let shown = stage.querySelector("img"), current = initial, direction = 1;
  let closed = false, retryAfter = FIRST_RETRY, retryTimer = 0, loadingTimer = 0, pumpTimer = 0, restTimer = 0, addressTimer = 0;

  const say = (key, number) => stage.dataset[key].replace("{number}", number).replace("{count}", count);
  const tell = (text) => { if (note.textContent !== text) note.textContent = text; };
  const waitingLong = () => {
    loadingTimer = 0;
    if (!kept.has(current)) tell(say("loading", current));
  };
  const address = (number) => `${base}/${series}/${number}.jpg`;
  const within = (number) => Math.min(count, Math.max(1, number));

  // Newest wish first. A neighbour that failed is asked for again only when somebody wants to see it.
  const wanted = () => {
    const around = navigator.connection?.saveData ? [0] : [0, direction, 2 * direction, -direction];
    return around.map((step) => current + step).filter((number) => number === within(number) && !kept.has(number)
      && !broken.has(number) && (number === current || !failures.has(number)));
  };

  const keep = (number, image) => {
    kept.delete(number);
    kept.set(number, image);
    let pixels = 0;
    for (const [one, { naturalWidth, naturalHeight }] of [...kept].reverse()) {
      pixels += naturalWidth * naturalHeight;
      if (pixels > KEPT_PIXELS && Math.abs(one - current) > 2) kept.delete(one);
    }
  };

  const present = () => {
    const image = kept.get(current);
    if (!image) return;
    keep(current, image);
    clearTimeout(loadingTimer);
    loadingTimer = 0;
    tell("");
    image.alt = say("position", current);
    if (image !== shown) shown.replaceWith(image);
    shown = image;
    stage.dataset.shown = current; // what is on the screen, for tests too
  };

  const fetchOne = (number) => {
    const image = new Image();
    image.draggable = false;
    inFlight.set(number, image);
    image.onload = async () => {
      await image.decode?.().catch(() => {}); // decoded off the page's thread, so that scrolling stays smooth
      if (inFlight.get(number) !== image) return;
      inFlight.delete(number);
      retryAfter = FIRST_RETRY;
      failures.delete(number);
      keep(number, image);
      if (number === current) present();
      pump();
    };
    image.onerror = () => {
      if (inFlight.get(number) === image) explain(number, image);
    };
    image.src = address(number);
  };

  // An <img> doesn't say why it failed: ask once more, for the status only. The slot stays taken meanwhile.
  const explain = async (number, image) => {
    let status = 0;
    try {
      const answer = await fetch(address(number), { method: "HEAD", redirect: "manual", cache: "no-store" });
      status = answer.type === "opaqueredirect" ? 403 : answer.status;
    } catch { /* no answer at all: a weak line */ }
    if (inFlight.get(number) !== image) return;
    inFlight.delete(number);
    if ([401, 403, 404].includes(status)) return close();
    failures.set(number, (failures.get(number) ?? 0) + 1);
    if (status && failures.get(number) >= MAX_FAILURES) broken.add(number);
    if (number !== current) return pump();
    clearTimeout(loadingTimer);
    loadingTimer = 0;
    if (broken.has(number)) { tell(say("broken", number)); return pump(); }
    tell(say(status ? "busy" : "weak", number));
    clearTimeout(retryTimer);
    retryTimer = setTimeout(resume, retryAfter);
    retryAfter = Math.min(LAST_RETRY, retryAfter * 2);
  };

  const resume = () => {
    clearTimeout(retryTimer);
    retryTimer = 0;
    pump();
  };

  const close = () => {
    closed = true;
    for (const image of inFlight.values()) image.removeAttribute("src");
    inFlight.clear();
    kept.clear();
    clearTimeout(loadingTimer);
    shown.remove(); // what is closed no longer stands on the screen
    tell(stage.dataset.closed);
    closedNote.hidden = false;
    closedNote.querySelector("a").focus({ preventScroll: true });
    document.querySelector("[data-controls]").hidden = true;
  };

  const pump = (rested = false) => {
    if (closed || retryTimer) return;
    const next = wanted().filter((number) => !inFlight.has(number));
    // A slot for the picture that is wanted now: what was passed by is given up, but only where the thumb rests:
    // giving up at every step would leave the archive with a queue of pictures that nobody waits for.
    if (rested && next[0] === current && inFlight.size >= MAX_IN_FLIGHT) {
      const [number, image] = [...inFlight].find(([one]) => Math.abs(one - current) > 2) ?? [];
      if (image) { inFlight.delete(number); image.removeAttribute("src"); }
    }
    while (next.length && inFlight.size < MAX_IN_FLIGHT) fetchOne(next.shift());
  };

  const go = (number) => {
    number = within(number);
    if (closed || number === current) return;
    direction = number > current ? 1 : -1;
    current = number;
    place.textContent = say("position", current);
    slider.value = current;
    slider.setAttribute("aria-valuetext", place.textContent);
    for (const link of steps) {
      const target = current + Number(link.dataset.step);
      if (target === within(target)) {
        link.href = `${base}?series=${series}&image=${target}`;
        link.removeAttribute("aria-disabled");
        link.removeAttribute("role");
      } else {
        link.removeAttribute("href");
        link.setAttribute("aria-disabled", "true");
        link.setAttribute("role", "link");
      }
    }
    if (kept.has(current)) present();
    else if (broken.has(current)) tell(say("broken", current));
    else if (note.textContent) tell(say("loading", current));
    else if (!loadingTimer) loadingTimer = setTimeout(waitingLong, LOADING_AFTER);
    clearTimeout(pumpTimer);
    clearTimeout(restTimer);
    pumpTimer = setTimeout(resume, 40);
    restTimer = setTimeout(pump, 150, true);
    clearTimeout(addressTimer);
    addressTimer = setTimeout(() => history.replaceState(null, "", `${base}?series=${series}&image=${current}`), 200);
  };

  let rolled = 0;
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey || count < 2) return; // zooming, or nothing to go through: the browser's own
    event.preventDefault();
    const distance = event.deltaY * [1, 16, 400][event.deltaMode];
    rolled = Math.sign(rolled) === Math.sign(distance) ? rolled + distance : distance;
    const moved = Math.abs(distance) >= 50 ? Math.sign(distance) : Math.trunc(rolled / 30);
    if (moved) { rolled = 0; go(current + moved); }
  }, { passive: false });

  // Dragging: a thumb's way over the stage passes the whole series, but never faster than it can be followed.
  let drag = null;
  stage.addEventListener("pointerdown", (event) => {
    if (drag || !event.isPrimary || event.button !== 0 || "zoomed" in stage.dataset || event.target.closest("a, button")) return;
    drag = { id: event.pointerId, y: event.clientY, from: current, step: Math.min(40, Math.max(5, stage.clientHeight * .8 / count)) };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerId === drag?.id) go(drag.from + Math.round((drag.y - event.clientY) / drag.step));
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => { if (event.pointerId === drag?.id) drag = null; });
  // Enlarged by two fingers, one finger moves the enlarged page as everywhere else.
  visualViewport?.addEventListener("resize", () => stage.toggleAttribute("data-zoomed", visualViewport.scale > 1.05));

  const forward = document.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
  const backward = document.dir === "rtl" ? "ArrowRight" : "ArrowLeft";
  const onStage = { PageDown: 10, PageUp: -10, Home: -count, End: count };
  const anywhere = { ArrowDown: 1, ArrowUp: -1, [forward]: 1, [backward]: -1 };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || count < 2) return;
    const here = document.activeElement === stage;
    const step = here || document.activeElement === document.body ? anywhere[event.key] ?? (here && onStage[event.key]) : 0;
    if (!step) return;
    event.preventDefault();
    go(current + step);
  });

  slider.addEventListener("input", () => go(Number(slider.value)));
  for (const link of steps) link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go(current + Number(link.dataset.step));
  });
  addEventListener("online", () => { retryAfter = FIRST_RETRY; resume(); });

  // The picture that the page came with counts as fetched; if it failed, it is fetched like any other.
  const first = () => {
    inFlight.delete(initial);
    if (shown.naturalWidth) {
      keep(initial, shown);
      stage.dataset.shown = initial;
    }
    present();
    pump();
  };
  stage.tabIndex = 0;
  stage.dataset.ready = "";
  if (count > 1) for (const part of [slider, document.querySelector("[data-help]")]) part.hidden = false;
  if (shown.complete) first();
  else {
    const original = shown;
    inFlight.set(initial, original);
    original.onload = original.onerror = () => { if (inFlight.get(initial) === original) first(); };
    loadingTimer = setTimeout(waitingLong, LOADING_AFTER);
  }
};

if (stage) start();
