// The light look: one picture at a time by thumb, wheel, keys, slider or by itself. Shows the last picture until the next
// is there, fetches few (what is wanted now first, fewer and smaller ones on a slow line) and says in words what keeps a
// picture away.
import { touching } from "./look-touch.js";

const stage = document.querySelector("[data-stage]");
const KEPT_PIXELS = 24e6; // about ninety slices of 512², or twenty X-rays
const LOADING_AFTER = 400, FIRST_RETRY = 1000, LAST_RETRY = 15000; // milliseconds
const MAX_FAILURES = 4;
const GOOD_PACE = 400, BAD_PACE = 1200; // milliseconds that a picture takes
const ALONE = 3 * 60e3; // without a hand on it for so long, nothing more is fetched: a visit ends by itself
const SLOWEST = 2; // images a second for those who want less motion

const start = () => {
  const { base, series } = stage.dataset;
  const count = Number(stage.dataset.count), side = Number(stage.dataset.side), initial = Number(stage.dataset.image);
  const find = (name) => document.querySelector(`[data-${name}]`), all = (name) => [...document.querySelectorAll(`[data-${name}]`)];
  const slider = find("slider"), note = find("note"), closedNote = find("closed-note"), place = find("position-text"), said = find("said");
  const playButton = find("play-button"), speed = find("speed"), windows = find("windows"), view = find("view");
  const steps = all("step"), thumbs = all("thumb"), zoomButtons = all("scale");
  const kept = new Map(); // number → loaded <img>, oldest use first
  const inFlight = new Map(); // number → <img> being loaded
  const failures = new Map(); // number → times in a row that it failed
  const broken = new Set(); // the archive answers, yet these can't be read
  let shown = stage.querySelector("img"), current = initial, direction = 1, seenAs = stage.dataset.window;
  let closed = false, retryAfter = FIRST_RETRY, touched = Date.now(), saidEnlarged = "";
  let retryTimer = 0, loadingTimer = 0, pumpTimer = 0, restTimer = 0, addressTimer = 0, sayTimer = 0, sharpTimer = 0, playTimer = 0;
  const title = shown.alt.slice(0, shown.alt.lastIndexOf(say("position", current)));

  function say(key, number) { return stage.dataset[key].replace("{number}", number).replace("{count}", count); }
  const tell = (text) => { if (note.textContent !== text) note.textContent = text; };
  // For those who hear the page: once a hand rests, never at every step.
  const speak = (text) => { clearTimeout(sayTimer); sayTimer = setTimeout(() => { said.textContent = text; }, 700); };
  const waitingLong = () => {
    loadingTimer = 0;
    if (!kept.has(current)) tell(say("loading", current));
  };
  const within = (number) => Math.min(count, Math.max(1, number));
  const isAlone = () => document.hidden || Date.now() - touched > ALONE;

  // How good the line is: what the browser knows, and what the last pictures took.
  const size = new URL(shown.currentSrc || shown.src).searchParams.get("size");
  const timing = performance.getEntriesByName(shown.currentSrc).pop();
  let pace = timing ? timing.duration : GOOD_PACE;
  const line = () => {
    const net = navigator.connection || {};
    if (net.saveData || /2g/.test(net.effectiveType || "")) return 0;
    return pace > BAD_PACE || net.effectiveType === "3g" ? 1 : pace > GOOD_PACE ? 2 : 3;
  };
  const atOnce = () => [1, 2, 2, playTimer ? 4 : 2][line()];
  const address = (number, how = pace > BAD_PACE ? "small" : size) =>
    `${base}/${series}/${number}.jpg?${seenAs === "made" || seenAs === "inverted" ? "" : `window=${seenAs}&`}size=${how}`;
  const page = (number) => `${base}?series=${series}&image=${number}${seenAs === "made" ? "" : `&window=${seenAs}`}`;

  // Newest wish first. A neighbour that failed is asked for again only when somebody wants to see it.
  const wanted = () => {
    const around = playTimer ? [0, 1, 2, 3, 4, 5, 6].slice(0, 1 + [1, 2, 4, 6][line()])
      : [[0], [0, direction], [0, direction, 2 * direction], [0, direction, 2 * direction, -direction]][line()];
    return around.map((step) => playTimer ? (current + step - 1) % count + 1 : current + step)
      .filter((number) => number === within(number) && !kept.has(number) && !broken.has(number) && (number === current || !failures.has(number)));
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

  const show = (image) => {
    image.alt = title + say("position", current);
    if (image !== shown) shown.replaceWith(image);
    shown = image;
    stage.dataset.window = seenAs;
    stage.dataset.shown = current; // what is on the screen, for tests too
  };
  const present = () => {
    const image = kept.get(current);
    if (!image) return;
    keep(current, image);
    clearTimeout(loadingTimer);
    loadingTimer = 0;
    tell("");
    show(image);
    sharpen();
  };

  // Enlarged and at rest: the same picture with all the pixels that it has.
  const sharpen = () => {
    clearTimeout(sharpTimer);
    const image = kept.get(current);
    if (!image || hands.isWhole() || closed || Math.max(image.naturalWidth, image.naturalHeight) >= side) return;
    sharpTimer = setTimeout(async () => {
      const sharp = new Image(), number = current, window = seenAs;
      sharp.draggable = false;
      sharp.src = address(number, "large");
      try { await sharp.decode(); } catch { return; } // the smaller one goes on standing there
      if (number !== current || window !== seenAs || closed) return;
      keep(number, sharp);
      show(sharp);
    }, 300);
  };

  const fetchOne = (number) => {
    const image = new Image(), began = performance.now(), crowd = inFlight.size + 1;
    image.draggable = false;
    inFlight.set(number, image);
    image.onload = async () => {
      pace = .6 * pace + .4 * (performance.now() - began) / crowd;
      if (image.decode) await image.decode().catch(() => {}); // off the page's thread, so that scrolling stays smooth
      if (inFlight.get(number) !== image) return;
      inFlight.delete(number);
      retryAfter = FIRST_RETRY;
      failures.delete(number);
      keep(number, image);
      if (number === current) present();
      for (const thumb of thumbs) if (thumb.dataset.failed) { delete thumb.dataset.failed; thumb.setAttribute("src", thumb.src); }
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
    if (status && status !== 503 && failures.get(number) >= MAX_FAILURES) broken.add(number);
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

  const forget = () => {
    for (const image of inFlight.values()) image.removeAttribute("src");
    for (const known of [inFlight, kept, failures, broken]) known.clear();
    clearTimeout(retryTimer);
    retryTimer = 0;
    retryAfter = FIRST_RETRY;
  };

  const close = () => {
    stop();
    closed = true;
    forget();
    clearTimeout(loadingTimer);
    shown.remove(); // what is closed no longer stands on the screen
    for (const thumb of thumbs) thumb.remove();
    tell(stage.dataset.closed);
    closedNote.hidden = false;
    closedNote.querySelector("a").focus({ preventScroll: true });
    for (const part of [find("controls"), find("zoom"), find("about")]) part.hidden = true;
  };

  const pump = (rested = false) => {
    if (closed || retryTimer || isAlone()) return;
    const next = wanted().filter((number) => !inFlight.has(number));
    // A slot for the picture that is wanted now: what was passed by is given up, but only where the thumb rests:
    // giving up at every step would leave the archive with a queue of pictures that nobody waits for.
    if (rested && next[0] === current && inFlight.size >= atOnce()) {
      const [number, image] = [...inFlight].find(([one]) => Math.abs(one - current) > 2) ?? [];
      if (image) { inFlight.delete(number); image.removeAttribute("src"); }
    }
    while (next.length && inFlight.size < atOnce()) fetchOne(next.shift());
  };

  const mark = () => {
    place.textContent = say("position", current);
    slider.value = current;
    slider.setAttribute("aria-valuetext", place.textContent);
    for (const link of steps) {
      const target = current + Number(link.dataset.step);
      if (target === within(target)) {
        link.href = page(target);
        link.removeAttribute("aria-disabled");
        link.removeAttribute("role");
      } else {
        link.removeAttribute("href");
        link.setAttribute("aria-disabled", "true");
        link.setAttribute("role", "link");
      }
    }
    if (windows) for (const link of windows.querySelectorAll("a")) {
      const address = new URL(link.href);
      address.searchParams.set("image", current);
      link.href = address;
    }
  };
  const settle = () => {
    mark();
    clearTimeout(addressTimer);
    addressTimer = setTimeout(() => history.replaceState(null, "", page(current)), 200);
  };
  const go = (number) => {
    number = within(number);
    if (closed || number === current) return;
    direction = number > current ? 1 : -1;
    current = number;
    if (playTimer) { place.textContent = say("position", current); slider.value = current; } else settle();
    if (kept.has(current)) present();
    else if (broken.has(current)) tell(say("broken", current));
    else if (note.textContent) tell(say("loading", current));
    else if (!loadingTimer) loadingTimer = setTimeout(waitingLong, playTimer ? 4 * LOADING_AFTER : LOADING_AFTER);
    if (playTimer) return pump();
    clearTimeout(pumpTimer);
    clearTimeout(restTimer);
    pumpTimer = setTimeout(resume, 40);
    restTimer = setTimeout(pump, 150, true);
  };
  // By a hand: the film stops, and where it isn't the slider that says so, the new place is said.
  const leaf = (number, speaks = true) => {
    stop();
    go(number);
    if (speaks) speak(say("position", current));
  };

  // A film: the next one once this one stands there.
  const tick = () => {
    const rate = Number(stage.dataset.rate) * Number(speed.value);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches ? Math.min(rate, SLOWEST) : rate;
    const isThere = kept.has(current) || broken.has(current);
    playTimer = setTimeout(tick, isThere ? 1000 / calm : 60);
    if (isAlone()) return stop();
    if (isThere) go(current % count + 1);
    else pump();
  };
  function stop() {
    if (!playTimer) return;
    clearTimeout(playTimer);
    playTimer = 0;
    button(false);
    settle();
  }
  const button = (plays) => {
    find("play-text").textContent = stage.dataset[plays ? "pause" : "play"];
    playButton.querySelector("path").setAttribute("d", plays ? "M7 6h10v12H7z" : "M8 5l11 7-11 7z");
    stage.toggleAttribute("data-playing", plays);
  };
  const play = () => {
    if (closed || count < 2) return;
    if (playTimer) { stop(); return speak(say("position", current)); }
    playTimer = setTimeout(tick, 0);
    button(true);
  };

  const choose = (link) => {
    const before = address(0);
    seenAs = link.dataset.value;
    for (const one of windows.querySelectorAll("a")) one === link ? one.setAttribute("aria-current", "true") : one.removeAttribute("aria-current");
    find("window-name").textContent = link.textContent;
    if (address(0) !== before) { forget(); loadingTimer = loadingTimer || setTimeout(waitingLong, LOADING_AFTER); }
    settle();
    present();
    pump();
  };

  const hands = touching(stage, view, {
    zoomed: (scale) => {
      for (const one of zoomButtons) {
        const is = Number(one.dataset.scale);
        if (!is) one.hidden = hands.isWhole();
        else (is > 1 ? hands.isLargest() : hands.isWhole()) ? one.setAttribute("aria-disabled", "true") : one.removeAttribute("aria-disabled");
      }
      const times = scale.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 1 });
      speak(hands.isWhole() ? stage.dataset.whole : stage.dataset.enlarged.replace("{times}", times));
      sharpen();
    },
    // A thumb's way over the stage passes the whole series, but never faster than it can be followed.
    drag: () => {
      if (count < 2) return null;
      const from = current, step = Math.min(40, Math.max(5, stage.clientHeight * .8 / count));
      return (way) => { const to = from + Math.round(way / step); if (within(to) !== current) leaf(to, false); };
    },
    wheel: (moved) => leaf(current + moved, false),
  });
  for (const one of zoomButtons) one.addEventListener("click", () => {
    hands.by(Number(one.dataset.scale));
    if (one.hidden) zoomButtons[0].focus();
  });

  const touch = () => {
    const was = isAlone();
    touched = Date.now();
    if (was) resume();
  };
  const isRightToLeft = document.dir === "rtl";
  const forward = isRightToLeft ? "ArrowLeft" : "ArrowRight", backward = isRightToLeft ? "ArrowRight" : "ArrowLeft";
  const onStage = { PageDown: 10, PageUp: -10, Home: -count, End: count };
  const anywhere = { ArrowDown: 1, ArrowUp: -1, [forward]: 1, [backward]: -1 };
  const moves = { ArrowDown: [0, -1], ArrowUp: [0, 1], ArrowRight: [-1, 0], ArrowLeft: [1, 0] };
  const scales = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, "0": 0 };
  document.addEventListener("keydown", (event) => {
    touch();
    if (event.ctrlKey || event.metaKey || event.altKey || closed) return;
    if (event.key === "Escape" && windows && windows.open) { windows.open = false; return windows.querySelector("summary").focus(); }
    const here = document.activeElement === stage;
    if (!here && document.activeElement !== document.body) return;
    const step = anywhere[event.key] ?? (here && onStage[event.key]);
    if (event.shiftKey && moves[event.key]) hands.pan(...moves[event.key].map((way) => way * stage.clientWidth / 8));
    else if (here && event.key in scales) hands.by(scales[event.key]);
    else if (here && event.key === " ") play();
    else if (step && count > 1 && !event.shiftKey) leaf(current + step, here);
    else return;
    event.preventDefault();
  });

  slider.addEventListener("input", () => leaf(Number(slider.value), false));
  const isPlain = (event) => !event.ctrlKey && !event.metaKey && !event.shiftKey;
  for (const link of steps) link.addEventListener("click", (event) => {
    if (!isPlain(event)) return;
    event.preventDefault();
    leaf(current + Number(link.dataset.step));
  });
  if (windows) windows.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || !isPlain(event)) return;
    event.preventDefault();
    windows.open = false;
    windows.querySelector("summary").focus();
    choose(link);
  });
  addEventListener("pointerdown", (event) => {
    touch();
    if (windows && windows.open && !windows.contains(event.target)) windows.open = false;
  }, true);
  addEventListener("online", () => { retryAfter = FIRST_RETRY; resume(); });
  document.addEventListener("visibilitychange", () => { document.hidden ? stop() : resume(); });
  for (const thumb of thumbs) {
    const failed = () => { thumb.dataset.failed = "1"; };
    thumb.addEventListener("error", failed);
    if (thumb.complete && !thumb.naturalWidth) failed();
  }

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
  for (const part of [find("zoom"), find("help")]) part.hidden = false;
  if (count > 1) {
    for (const part of [slider, playButton, speed]) part.hidden = false;
    playButton.addEventListener("click", play);
  }
  if (shown.complete) first();
  else {
    const original = shown;
    inFlight.set(initial, original);
    original.onload = original.onerror = () => { if (inFlight.get(initial) === original) first(); };
    loadingTimer = setTimeout(waitingLong, LOADING_AFTER);
  }
};

if (stage) start();
