// Helps with the landing page's form; the server decides everything. Takes the code from the QR's fragment and
// clears it from the address bar, groups the code while it is typed, notices a typing error by the check symbol, opens
// the camera (scan.js) where there is one. What goes wrong here leaves a form that works without it.

const SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford base32
const form = document.querySelector("[data-landing]");
const { code, day, password, with_password: withPassword } = form.elements;
const words = form.dataset;
const codeField = form.querySelector("[data-code-field]");
const codeError = document.getElementById("code-error");
const codeStatus = form.querySelector("[data-code-status]");

// The end of a QR's or a mail's address: "!p", a password is asked for; "!p=" and ten digits, here it is.
const MARKER = /!p(?:=(\d{10}))?$/i;
const passwordIn = (text) => (text.match(MARKER) || [])[1] || "";
const fromAddress = (text) => text.replace(/^[^]*#/, "").replace(MARKER, "");
// A digit of any script: each has its ten in a row (Unicode, decimal digits), so zero is where the row begins.
const digit = (sign) => {
  const point = sign.codePointAt(0);
  let zero = point;
  while (zero > point - 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--;
  return point - zero;
};
// What was meant, as the server reads it: any width and case, O for 0, I and L for 1; all but letters and digits separates.
const read = (text) => fromAddress(text).normalize("NFKC").toUpperCase().replace(/(?![0-9])\p{Nd}/gu, digit)
  .replace(/[^\p{L}0-9]/gu, "").replace(/O/g, "0").replace(/[ILİ]/g, "1");
const group = (symbols) => symbols.replace(/(.{4})(?=.)/g, "$1-");

// The check symbol over GF(32), x^5+x^2+1: the sum of 2^(i+1)·d_i, by Horner's rule from the right.
export const passes = (symbols) => {
  const values = [...symbols].map((symbol) => SYMBOLS.indexOf(symbol));
  if (values.includes(-1) || values.length < 9 || values.length > 17) return false;
  const check = values.pop();
  return values.reduceRight((sum, value) => {
    const doubled = (sum ^ value) << 1;
    return doubled & 32 ? doubled ^ 37 : doubled;
  }, 0) === check;
};

const problemWith = (symbols) => {
  if (!symbols) return words.missing;
  if (passes(symbols)) return "";
  if ([...symbols].some((symbol) => !SYMBOLS.includes(symbol))) return words.foreign;
  return symbols.length === Number(words.codeLength) ? words.check : words.length;
};

const show = (message) => {
  codeError.textContent = "";
  if (message) {
    const prefix = document.createElement("span"); // heard, not seen, as in the server's own messages
    prefix.className = "vh";
    prefix.textContent = words.error;
    codeError.append(prefix, ` ${message}`);
  }
  codeField.classList.toggle("wrong", Boolean(message));
  if (message) code.setAttribute("aria-invalid", "true"); else code.removeAttribute("aria-invalid");
};

// A password that a link carries is sent, and shown only to whoever opens its field.
const takePassword = (text) => {
  if (passwordIn(text)) password.value = passwordIn(text);
  else if (MARKER.test(text)) withPassword.checked = true;
};

// Dashes come only while typing at the end, and never during an input method's composition: the caret stays put
// and deleting works as everywhere.
code.addEventListener("input", (event) => {
  const atEnd = code.selectionStart === code.value.length;
  if (event.isComposing || !atEnd || !(event.inputType || "").startsWith("insert")) return;
  takePassword(code.value); // a whole address was pasted
  const typed = fromAddress(code.value).toUpperCase();
  const symbols = typed.replace(/[\s\p{P}]/gu, "");
  const ownDash = /[\s\p{P}]$/u.test(typed) && symbols.length > 0 && symbols.length % 4 === 0;
  code.value = group(symbols) + (ownDash ? "-" : "");
});

const check = () => {
  const symbols = read(code.value);
  if (passes(symbols)) code.value = group(symbols);
  show(symbols ? problemWith(symbols) : "");
};
// A message moves what stands below it: not while a finger or mouse is down there, or the button slips away under it.
let isPressed = false;
addEventListener("pointerdown", () => { isPressed = true; }, true);
for (const kind of ["pointerup", "pointercancel"]) addEventListener(kind, () => { isPressed = false; }, true);
code.addEventListener("change", () => {
  if (isPressed) addEventListener("pointerup", () => setTimeout(check), { once: true }); else check();
});

withPassword.addEventListener("change", () => {
  if (withPassword.checked) password.focus(); else password.value = "";
});

let sent = -Infinity;
form.addEventListener("submit", (event) => {
  const problem = problemWith(read(code.value));
  show(problem);
  if (problem) {
    event.preventDefault();
    code.focus();
    codeField.scrollIntoView({ block: "nearest" });
  } else if (event.timeStamp - sent < 8000) {
    event.preventDefault(); // pressed twice: the first one is on its way
  } else {
    sent = event.timeStamp;
    form.querySelector("[data-sending-status]").textContent = words.sending;
  }
});

// What a QR or a link holds: CODE or CODE!p (the sheet shows a password), a mail perhaps CODE!p=PASSWORD.
const take = (text) => {
  const symbols = read(text);
  code.value = group(symbols);
  takePassword(text);
  const problem = problemWith(symbols);
  show(problem);
  codeStatus.textContent = problem ? "" : passwordIn(text) ? words.filledBoth : MARKER.test(text) ? words.filledAsking : words.filled;
  const next = passwordIn(text) ? form.querySelector("button[name=go]") : day;
  (problem ? code : next).focus();
};

// A fragment that names a field is one of our own links.
const takeFragment = () => {
  let fragment = location.hash.slice(1);
  try { fragment = decodeURIComponent(fragment); } catch (_) { /* stays as it is; the check symbol refuses it */ }
  if (!fragment || document.getElementById(fragment)) return false;
  history.replaceState(null, "", location.pathname + location.search);
  take(fragment);
  return true;
};
const filled = takeFragment();
addEventListener("hashchange", takeFragment);

// Only our own QR codes: this portal's address with a code in its fragment, or a bare code; nothing that leads elsewhere.
const ours = (text) => {
  const home = [words.home, `${location.origin}${location.pathname}`].map((one) => one.replace(/\/*$/, "/"));
  const address = text.trim();
  const isAddress = /^[a-z][a-z0-9+.-]*:/i.test(address);
  const at = address.indexOf("#");
  if (isAddress && (at < 0 || !home.includes(address.slice(0, at).replace(/\/*$/, "/")))) return "";
  const fragment = isAddress ? address.slice(at + 1) : address;
  return /^[\dA-Z -]{9,24}(?:!p(?:=\d{10})?)?$/i.test(fragment) && passes(read(fragment)) ? fragment : "";
};

const scan = form.querySelector("[data-scan]");
const scanButton = scan.querySelector("[data-scan-start]");
scan.classList.remove("not-yet");
if (window.isSecureContext && navigator.mediaDevices && navigator.mediaDevices.getUserMedia) {
  scanButton.hidden = false;
  scanButton.addEventListener("click", async () => {
    let found = "";
    try {
      const { read: readCamera } = await import(scan.dataset.scan);
      found = await readCamera(scan, ours);
    } catch (_) { // the script itself couldn't be fetched
      scan.querySelector("[data-scan-status]").textContent = scan.dataset.failed;
    }
    if (found) take(found); else scanButton.focus();
  });
}

// Another language is another page: the code goes along in the fragment, which no server sees.
for (const link of document.querySelectorAll("[data-languages] a")) {
  link.addEventListener("click", () => { link.hash = read(code.value) && code.value ? encodeURIComponent(code.value) : ""; });
}

const summary = document.querySelector(".summary ul");
if (summary) summary.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  (field.closest(".field") || field).scrollIntoView();
  field.focus({ preventScroll: true });
});

// Coming back through the history on a shared computer: nothing of what the last person typed.
addEventListener("pageshow", () => {
  const [navigation] = performance.getEntriesByType("navigation");
  if (filled || !navigation || navigation.type !== "back_forward") return;
  for (const field of form.elements) if (field.type === "text") field.value = "";
});
