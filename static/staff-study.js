// A study's page, which works without it: what is typed into the report isn't lost, saving doesn't take the cursor away,
// what printing changed is shown, and the server learns whether the screen is narrow.
const here = document.querySelector("[data-here]").dataset.here;
const narrow = matchMedia("(max-width: 599px)");
addEventListener("submit", (event) => {
  const field = event.target.querySelector("[name=narrow]");
  if (field) field.value = narrow.matches ? "1" : "0";
}, true);

const report = document.querySelector("[data-report]");
const said = document.querySelector("[data-said]");
const KEEP_ALIVE = 5 * 60_000; // ms; a session ends after 30 minutes without a request
let isLeaving = false, isSending = false, next = null, lastAsked = Date.now();

const fields = report ? [...report.querySelectorAll("textarea, input[type=text]")] : [];
const isUnsaved = () => report?.hasAttribute("data-unsaved") || fields.some((field) => field.value !== field.defaultValue);
const say = (key) => {
  said.textContent = key ? said.dataset[`${key}Text`] : "";
  said.classList.toggle("bad", ["out", "other", "unreachable", "long"].includes(key));
  report.querySelector("[data-again]").hidden = key !== "out";
};

// The study's page as it is now. Where this person can't have it, why: a key of the texts.
const ask = async (address, options) => {
  lastAsked = Date.now();
  let response, page;
  try {
    response = await fetch(address, options);
    page = new DOMParser().parseFromString(await response.text(), "text/html");
  } catch { return { why: "unreachable" }; }
  if (response.redirected && new URL(response.url).pathname.endsWith("/staff/locked")) {
    document.dispatchEvent(new Event("staff-locked")); // staff-lock.js covers the page; what is typed waits beneath
    return { why: "unsaved" };
  }
  if (response.redirected && !new URL(response.url).pathname.startsWith(here)) return { why: "out" };
  if (response.status === 413) return { why: "long" };
  if (response.status >= 500) return { why: "unreachable" };
  const login = page.querySelector("[data-report]")?.dataset.report;
  if (report && login !== report.dataset.report) return { why: "other" };
  return { response, page };
};
// Put the parts that hold nothing typed as they are now.
const show = (page) => {
  const focused = document.activeElement?.id;
  for (const part of document.querySelectorAll("[data-part]")) {
    const now = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (now) part.replaceWith(document.importNode(now, true)); else part.remove();
  }
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
};
const takeToken = (page) => {
  for (const field of document.querySelectorAll("[name=csrf_token]")) field.value = page.querySelector("[name=csrf_token]").value;
};

if (report) {
  const submit = (button) => { // the ordinary way: the answer is a page
    isLeaving = true;
    const go = Object.assign(document.createElement("input"), { type: "hidden", name: "go", value: button });
    report.append(go);
    report.submit();
  };
  report.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isSending) { next = event.submitter; return; } // "Sign" pressed while "Save" is under way comes after it
    const go = event.submitter?.value ?? "save";
    isSending = true;
    // First see that the answer won't be a sign-in page that swallows the text.
    const before = await ask(here);
    if (before.why) say(before.why);
    else {
      takeToken(before.page);
      const sent = fields.map((field) => field.value);
      const body = new FormData(report);
      body.set("go", go);
      const after = await ask(report.action, { method: "POST", body });
      if (after.why) say(after.why);
      else if (!after.response.redirected) return submit(go); // refused: its page says why
      else if (go === "sign" || report.hasAttribute("data-unsaved")) { // what went wrong before is over
        isLeaving = true;
        return location.assign(after.response.url);
      } else {
        fields.forEach((field, i) => { field.defaultValue = sent[i]; });
        report.elements.revision.value++; // not the page's: somebody may have saved since
        show(after.page);
        say(isUnsaved() ? "unsaved" : "saved");
      }
    }
    isSending = false;
    if (next) {
      const button = next;
      next = null;
      report.requestSubmit(button);
    }
  });
  report.addEventListener("input", () => {
    if (isUnsaved() !== (said.textContent === said.dataset.unsavedText)) say(isUnsaved() ? "unsaved" : "");
    if (Date.now() - lastAsked > KEEP_ALIVE) ask(here, { method: "HEAD" });
  });
  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (isUnsaved()) report.requestSubmit(report.querySelector("[value=save]"));
    else say("same");
  });
  addEventListener("beforeunload", (event) => { if (isUnsaved() && !isLeaving) event.preventDefault(); });
  if (report.hasAttribute("data-unsaved")) say("unsaved");
}

// Printing may have issued a code: coming back to this tab shows it.
let hasPrinted = false;
addEventListener("submit", (event) => { hasPrinted ||= event.target.hasAttribute("data-print"); });
const lookAgain = async () => {
  if (!hasPrinted || document.hidden) return;
  hasPrinted = false;
  const { page } = await ask(here);
  if (page) show(page);
};
addEventListener("focus", lookAgain);
document.addEventListener("visibilitychange", lookAgain);
