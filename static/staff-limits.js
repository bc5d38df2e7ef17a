// On the page of alarms and limits: what it shows is asked for again every ten seconds while somebody looks at it and
// hasn't switched that off. Asking keeps nobody signed in.
const EVERY = 10_000; // ms
const parts = document.querySelector("[data-now]");
const told = document.querySelector("[data-told]");
const live = document.getElementById("live");

document.querySelector("[data-live]").hidden = false;
document.querySelector("[data-again]").hidden = true;

const look = async () => {
  if (document.hidden || !live.checked || parts.matches(":active, :has(:active)")) return;
  let response, text;
  try {
    response = await fetch(parts.dataset.now);
    text = await response.text();
  } catch { /* said below */ }
  // Signed out, or locked: the page itself leads on.
  if (response && (response.redirected || [401, 403, 404].includes(response.status))) return location.reload();
  if (!response?.ok) {
    told.textContent = parts.dataset.lost;
    return;
  }
  const focused = document.activeElement?.id;
  const page = new DOMParser().parseFromString(text, "text/html");
  parts.replaceChildren(...document.importNode(page.body, true).childNodes);
  told.textContent = parts.querySelector("[data-as-of]").dataset.asOf;
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
};
setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
live.addEventListener("change", look);
