// Fingers, mouse and wheel on the picture of the light look: one finger goes through the images, two enlarge,
// two taps too; once enlarged, one finger moves the picture. Knows nothing of images, archives or the net.

const LARGEST = 8, TAPPED = 2.5;
const TAP_TIME = 320, TAP_SLIP = 12, TAP_APART = 40; // milliseconds, pixels

// on: {zoomed(scale), drag() → a function (pixels up) or null, wheel(steps)}. What it returns is for buttons and keys.
export const touching = (stage, view, on) => {
  let scale = 1, x = 0, y = 0; // the view is drawn at (x, y), scale times as large as the stage
  const fingers = new Map(); // pointer id → {x, y} within the stage
  let scroll = null, scrollFrom = 0, pinch = null, began = null, tapped = null;

  const draw = () => {
    const { clientWidth: width, clientHeight: height } = stage;
    x = Math.min(0, Math.max(width * (1 - scale), x));
    y = Math.min(0, Math.max(height * (1 - scale), y));
    view.style.transform = scale > 1 ? `translate(${x}px, ${y}px) scale(${scale})` : "";
    stage.toggleAttribute("data-zoomed", scale > 1);
  };
  // The point of the picture under (px, py) stays there.
  const to = (wanted, px = stage.clientWidth / 2, py = stage.clientHeight / 2) => {
    const next = Math.min(LARGEST, wanted < 1.05 ? 1 : wanted), changed = next !== scale;
    x = px - (px - x) * next / scale;
    y = py - (py - y) * next / scale;
    scale = next;
    draw();
    if (changed) on.zoomed(scale);
  };
  const pan = (dx, dy) => { x += dx; y += dy; draw(); };

  const place = (event) => {
    const { left, top } = stage.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };

  stage.addEventListener("pointerdown", (event) => {
    // A page that was enlarged as a whole is moved by the browser.
    if (event.button !== 0 || fingers.size === 2 || event.target.closest("a, button") || "byBrowser" in stage.dataset) return;
    const here = place(event);
    fingers.set(event.pointerId, here);
    stage.setPointerCapture(event.pointerId);
    scroll = null;
    if (fingers.size === 2) { pinch = spread(); began = tapped = null; return; }
    began = { ...here, time: event.timeStamp };
    if (scale === 1) { scroll = on.drag(); scrollFrom = here.y; }
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const here = place(event);
    fingers.set(event.pointerId, here);
    if (began && Math.hypot(here.x - began.x, here.y - began.y) > TAP_SLIP) began = null;
    if (pinch) {
      const now = spread();
      pan(now.x - pinch.x, now.y - pinch.y);
      to(Math.max(1, scale * now.apart / pinch.apart), now.x, now.y);
      pinch = now;
    } else if (scroll) scroll(scrollFrom - here.y);
    else if (scale > 1) pan(here.x - before.x, here.y - before.y);
  });
  const lift = (event) => {
    // The picture loses a finger to the stage, which only begins then to follow it.
    if (event.type === "lostpointercapture" && event.target !== stage) return;
    if (!fingers.delete(event.pointerId)) return;
    pinch = scroll = null;
    const tap = event.type === "pointerup" && began && event.timeStamp - began.time < TAP_TIME ? began : null;
    began = null;
    if (!tap) { tapped = null; return; }
    const again = tapped && tap.time - tapped.time < 2 * TAP_TIME && Math.hypot(tap.x - tapped.x, tap.y - tapped.y) < TAP_APART;
    tapped = again ? null : tap;
    if (again) to(scale > 1 ? 1 : TAPPED, tap.x, tap.y);
  };
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) stage.addEventListener(end, lift);

  let rolled = 0;
  stage.addEventListener("wheel", (event) => {
    const distance = event.deltaY * [1, 16, 400][event.deltaMode];
    if (event.ctrlKey || event.metaKey) { // also two fingers on a touchpad
      event.preventDefault();
      const here = place(event);
      return to(scale * Math.exp(-Math.max(-60, Math.min(60, distance)) / 120), here.x, here.y);
    }
    if (!on.drag()) return; // nothing to go through: the page scrolls
    event.preventDefault();
    rolled = Math.sign(rolled) === Math.sign(distance) ? rolled + distance : distance;
    const moved = Math.abs(distance) >= 50 ? Math.sign(distance) : Math.trunc(rolled / 30);
    if (moved) { rolled = 0; on.wheel(moved); }
  }, { passive: false });

  // The whole page enlarged: one finger moves it as everywhere else.
  if (window.visualViewport) visualViewport.addEventListener("resize", () => {
    stage.toggleAttribute("data-by-browser", visualViewport.scale > 1.05);
    draw();
  });
  addEventListener("resize", draw);
  return { by: (factor) => to(factor ? scale * factor : 1), pan, isWhole: () => scale === 1, isLargest: () => scale >= LARGEST };
};
