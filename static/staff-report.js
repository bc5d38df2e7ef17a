// Writing a report: what is typed is saved by itself, a moment after a pause and on leaving, and a line says where it is. The text
// stays as it is under the writer's fingers, whatever the server answers. Nothing typed is kept in the browser: computers are shared.
const form = document.querySelector("[data-report]");
const said = form.querySelector("[data-said]"), told = form.querySelector("[data-told]");
const seeBoth = form.querySelector("[data-see-both]"), again = form.querySelector("[data-again]");
const PAUSE = 1_500, LONGEST = 10_000, RETRY = 5_000; // ms
const fields = [...form.querySelectorAll("textarea, #reason")];
const values = () => JSON.stringify(fields.map((field) => field.value));
// Browsers end a textarea's lines alike and drop a first empty line: what stands there now is what was sent.
let kept = form.hasAttribute("data-unsaved") ? "" : values();
let timer = 0, since = 0, isSending = null, hasFailed = false, isLeaving = false, kind = "";
const isUnsaved = () => values() !== kept;

// Seen at once, read out only where the kind changes or somebody asked for it.
const say = (now, words, { aloud = now !== kind } = {}) => {
  kind = now;
  said.textContent = words;
  said.classList.toggle("bad", now === "nowhere");
  said.classList.toggle("noted", now === "aside");
  if (aloud) told.textContent = words;
};
const body = () => {
  const data = new FormData(form);
  data.set("in_place", "1");
  return data;
};
const post = (options) => fetch(form.dataset.autosave, { method: "POST", body: body(), ...options });

// Somebody signed in again in another tab: the same person goes on with the new token, anybody else doesn't.
const takeToken = async () => {
  const answer = await fetch(form.dataset.here, { redirect: "manual" });
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const whose = (one) => one.querySelector(".me bdi")?.textContent;
  const token = page.querySelector("[name=csrf_token]")?.value;
  if (!token || whose(page) !== whose(document)) return false;
  for (const field of document.querySelectorAll("[name=csrf_token]")) field.value = token;
  return true;
};

const send = async () => {
  const sent = values();
  let answer;
  try {
    answer = await post();
    if (answer.status === 400 && await takeToken()) answer = await post();
  } catch { /* no connection */ }
  again.hidden = true;
  if (answer?.status === 401 && (await answer.text()) === "locked") {
    document.dispatchEvent(new Event("staff-locked")); // staff-lock.js covers the page; the text waits beneath
    return fail(form.dataset.lockedText);
  }
  if ([400, 401, 403, 404].includes(answer?.status)) {
    again.hidden = false;
    return fail(form.dataset.outText);
  }
  const told = answer && [200, 422].includes(answer.status) ? await answer.json().catch(() => null) : null;
  if (!told) return fail(form.dataset.unreachableText);
  if (told.where === "nowhere") return fail(told.says);
  hasFailed = false;
  kept = sent;
  form.removeAttribute("data-unsaved");
  if (told.where === "draft") {
    form.elements.revision.value = told.revision;
    say("draft", told.says);
  } else {
    form.elements.joins.value = "1"; // from now on this text goes beside the draft, until both were seen
    if (told.why) seeBoth.hidden = false;
    say("aside", `${told.why} ${told.says}`.trim());
  }
  form.dispatchEvent(new Event("kept"));
};
const fail = (words) => {
  hasFailed = true;
  say("nowhere", words);
  clearTimeout(timer);
  timer = setTimeout(save, RETRY);
};
const save = async () => {
  clearTimeout(timer);
  timer = since = 0;
  if (isSending) { await isSending; }
  if (!isUnsaved() || isLeaving) return;
  isSending = send();
  await isSending;
  isSending = null;
};

form.addEventListener("input", (event) => {
  if (!fields.includes(event.target)) return;
  if (!isUnsaved()) return;
  if (!hasFailed && kind !== "typing" && kind !== "aside") say("typing", form.dataset.unsavedText, { aloud: false });
  const now = Date.now();
  since ||= now;
  clearTimeout(timer);
  timer = setTimeout(save, Math.max(0, Math.min(PAUSE, since + LONGEST - now)));
});

// Leaving or hidden: what is typed goes at once. With one save still under way, this is the one after it.
const leave = () => {
  if (isLeaving || !isUnsaved()) return;
  const data = body();
  if (isSending && form.elements.joins.value !== "1") data.set("revision", Number(form.elements.revision.value) + 1);
  // A text too large for keepalive (64 KiB) is sent as ever; most often it arrives.
  fetch(form.dataset.autosave, { method: "POST", body: data, keepalive: values().length < 20_000 }).catch(() => {});
};
addEventListener("pagehide", leave);
document.addEventListener("visibilitychange", () => { if (document.hidden) save(); });
addEventListener("online", save);
addEventListener("focus", () => { if (hasFailed) save(); });
addEventListener("beforeunload", (event) => { if (hasFailed && isUnsaved() && !isLeaving) event.preventDefault(); });

// Save stays on the page; every other button takes what is typed along, after a save that is under way.
const saveNow = async () => {
  if (!isUnsaved()) return say(kind || "draft", said.textContent, { aloud: true });
  told.textContent = "";
  await save();
  told.textContent = said.textContent;
};
form.addEventListener("submit", async (event) => {
  const button = event.submitter;
  if (!button?.hasAttribute("data-leaves")) {
    event.preventDefault();
    return saveNow();
  }
  if (isSending) {
    event.preventDefault();
    await isSending;
    return form.requestSubmit(button);
  }
  isLeaving = true;
  clearTimeout(timer);
});
for (const link of document.querySelectorAll("a[data-leaves]")) link.addEventListener("click", async (event) => {
  if (!isUnsaved() || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  await save();
  if (!hasFailed) location.assign(link.href);
});

addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.repeat || document.querySelector("dialog[open]")) return;
  const join = form.querySelector("[data-join]"), sign = form.querySelector("[data-sign]");
  if (event.key.toLowerCase() === "s") {
    event.preventDefault();
    if (join) join.click(); else saveNow();
  }
  if (event.key === "Enter" && sign) {
    event.preventDefault();
    sign.click();
  }
});
if (form.hasAttribute("data-unsaved")) say("typing", form.dataset.unsavedText, { aloud: false });
